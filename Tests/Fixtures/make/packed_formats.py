"""Tiny models in the formats of GPTQ, AWQ and compressed-tensors, packed by the programs that write those formats.

Needs torch, safetensors, auto-round and compressed-tensors (both install with --no-deps), in an environment of its own,
and GPTQMODEL, the folder of GPTQModel's sources, for its planar layout. Writes packed/NAME with config.json,
model.safetensors and expected.safetensors: what each packed module's weights are, in f32.
"""

import importlib.util
import json
import os
import pathlib
import shutil

import torch
from auto_round.export.export_to_awq.utils import WQLinear_GEMM
from auto_round_extension.torch import qlinear_torch, qlinear_torch_zp
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
from safetensors.torch import save_file

spec = importlib.util.spec_from_file_location(
    "planar_packing", pathlib.Path(os.environ["GPTQMODEL"]) / "gptqmodel/utils/planar_packing.py")
planar = importlib.util.module_from_spec(spec)
spec.loader.exec_module(planar)

HIDDEN, INNER, VOCABULARY, EXPERTS, LAYERS = 64, 32, 40, 2, 1
CONFIG = {"model_type": "olmoe", "architectures": ["OlmoeForCausalLM"], "vocab_size": VOCABULARY,
          "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
          "num_key_value_heads": 4, "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
          "rope_theta": 10000.0, "num_experts": EXPERTS, "num_experts_per_tok": 1, "norm_topk_prob": False,
          "tie_word_embeddings": False, "attention_bias": False, "eos_token_id": None, "dtype": "float32"}
LINEARS = {f"model.layers.0.self_attn.{n}_proj": (HIDDEN, HIDDEN) for n in "qkvo"}
for e in range(EXPERTS):
    LINEARS |= {f"model.layers.0.mlp.experts.{e}.{n}_proj": (INNER, HIDDEN) for n in ("gate", "up")}
    LINEARS[f"model.layers.0.mlp.experts.{e}.down_proj"] = (HIDDEN, INNER)


def dense():
    torch.manual_seed(1)
    tensors = {"model.embed_tokens.weight": torch.randn(VOCABULARY, HIDDEN), "lm_head.weight": torch.randn(VOCABULARY, HIDDEN),
               "model.norm.weight": torch.ones(HIDDEN), "model.layers.0.mlp.gate.weight": torch.randn(EXPERTS, HIDDEN)}
    for norm in ("input_layernorm", "post_attention_layernorm", "self_attn.q_norm", "self_attn.k_norm"):
        tensors[f"model.layers.0.{norm}.weight"] = torch.ones(HIDDEN)
    return tensors


def grid(shape, bits, group, symmetric):
    """A weight that is exactly on a grid: codes, scales, zeros [outputs, groups], and its values."""
    outputs, inputs = shape
    group = inputs if group == -1 else min(group, inputs)
    groups = inputs // group
    codes = torch.randint(0, 2 ** bits, shape)
    scales = (torch.rand(outputs, groups) * 0.05 + 0.01).half().float()
    zeros = torch.full((outputs, groups), 2 ** (bits - 1)) if symmetric else torch.randint(1, 2 ** bits, (outputs, groups))
    values = (codes - zeros.repeat_interleave(group, 1)) * scales.repeat_interleave(group, 1)
    return codes, scales, zeros, values


def linear(values):
    layer = torch.nn.Linear(values.shape[1], values.shape[0], bias=False)
    layer.weight.data = values
    return layer


def gptq(name, bits, group, symmetric, zero_class, **settings):
    """zero_class packs zeros as they are (version 2), or less one (version 1)."""
    tensors, expected = dense(), {}
    for module, shape in LINEARS.items():
        codes, scales, zeros, values = grid(shape, bits, group, symmetric)
        used = shape[1] if group == -1 else min(group, shape[1])
        layer = zero_class(bits, used, shape[1], shape[0], False)
        layer.device = torch.device("cpu")
        layer.pack(linear(values), scales, zeros.float())
        tensors |= {f"{module}.qweight": layer.qweight, f"{module}.qzeros": layer.qzeros.int(), f"{module}.scales": layer.scales,
                    f"{module}.g_idx": (torch.arange(shape[1]) // used).int()}
        expected[module] = values
    write(name, tensors, expected, {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": symmetric,
                                    "desc_act": False} | settings)


def ordered(name):
    """Inputs in the order of their importance, as desc_act leaves them: groups are scattered over the row."""
    bits, group = 4, 32
    tensors, expected = dense(), {}
    for module, shape in LINEARS.items():
        codes, scales, zeros, values = grid(shape, bits, group, True)
        order = torch.randperm(shape[1])
        belongs = torch.empty(shape[1], dtype=torch.int32)
        belongs[order] = (torch.arange(shape[1]) // group).int()
        values = (codes - 8) * scales[:, belongs.long()]
        shifts = torch.arange(8) * 4
        words = (codes.t().reshape(shape[1] // 8, 8, shape[0]) << shifts.view(1, 8, 1)).sum(1)
        tensors |= {f"{module}.qweight": words.to(torch.int64).bitwise_and(0xFFFFFFFF).numpy().astype("uint32").view("int32") * 1,
                    f"{module}.qzeros": torch.full((shape[1] // group, shape[0] // 8), 0x77777777).int(),
                    f"{module}.scales": scales.t().contiguous().half(), f"{module}.g_idx": belongs}
        tensors[f"{module}.qweight"] = torch.from_numpy(tensors[f"{module}.qweight"])
        expected[module] = values
    write(name, tensors, expected, {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": True,
                                    "desc_act": True, "checkpoint_format": "gptq"})


def gptq_planar(name, bits):
    tensors, expected = dense(), {}
    for module, shape in LINEARS.items():
        codes, scales, zeros, values = grid(shape, bits, 32, False)
        tensors |= {f"{module}.qweight": planar.planar_pack_rows(codes.t().contiguous(), bits),
                    f"{module}.qzeros": planar.planar_pack_cols(zeros.t().contiguous(), bits),
                    f"{module}.scales": scales.t().contiguous().half()}
        expected[module] = values
    write(name, tensors, expected, {"quant_method": "gptq", "bits": bits, "group_size": 32, "sym": False,
                                    "desc_act": False, "checkpoint_format": "gptq_p",
                                    "dynamic": {"-:.*gate$": {}, "+:.*v_proj": {"sym": False}, ".*v_proj": {"bits": 2}}})


def awq(name):
    tensors, expected = dense(), {}
    for module, shape in LINEARS.items():
        codes, scales, zeros, values = grid(shape, 4, 32, False)
        layer = WQLinear_GEMM.from_linear(linear(values), 4, 32, scales=scales.t().contiguous(), zeros=zeros.t().contiguous().float())
        tensors |= {f"{module}.qweight": layer.qweight, f"{module}.qzeros": layer.qzeros, f"{module}.scales": layer.scales}
        expected[module] = values
    write(name, tensors, expected, {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": True})


def compressed(name, bits, symmetric, padded=False):
    tensors, expected = dense(), {}
    for module, shape in LINEARS.items():
        width = 8 if module.endswith("q_proj") else bits
        codes, scales, zeros, values = grid(shape, width, 32, symmetric)
        signed = (codes - 2 ** (width - 1)).to(torch.int8)
        packed = pack_to_int32(signed, width)
        if padded and 32 % width:
            # The form of versions before 0.13: no code crosses a word.
            each = 32 // width
            words = torch.zeros(shape[0], -(-shape[1] // each), dtype=torch.int64)
            for i in range(shape[1]):
                words[:, i // each] |= codes[:, i] << (width * (i % each))
            packed = torch.from_numpy(words.numpy().astype("uint32").view("int32"))
        tensors |= {f"{module}.weight_packed": packed, f"{module}.weight_scale": scales.half(),
                    f"{module}.weight_shape": torch.tensor(shape)}
        if not symmetric:
            tensors[f"{module}.weight_zero_point"] = pack_to_int32((zeros - 2 ** (width - 1)).to(torch.int8), width, packed_dim=0)
        expected[module] = values
    weights = {"num_bits": bits, "type": "int", "strategy": "group", "group_size": 32, "symmetric": symmetric, "dynamic": False}
    write(name, tensors, expected, {
        "quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head", "re:.*gate$"],
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights},
                          "group_1": {"targets": ["re:.*q_proj$"], "weights": weights | {"num_bits": 8}}}})


def write(name, tensors, expected, settings):
    folder = pathlib.Path("packed") / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    save_file({k: v.float().contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | {"quantization_config": settings}, indent=1) + "\n")


one, two = qlinear_torch_zp.QuantLinear, qlinear_torch.QuantLinear
gptq("gptq-v1-4", 4, 32, False, one, checkpoint_format="gptq")
gptq("gptq-v1-3", 3, 32, True, one, checkpoint_format="gptq")
gptq("gptq-v2-2", 2, 32, False, two, checkpoint_format="gptq_v2")
gptq("gptq-v2-8-row", 8, -1, False, two, checkpoint_format="gptq_v2")
gptq("gptq-stream-6", 6, 32, False, two, checkpoint_format="gptq_v2")
gptq("gptq-declared-v1", 4, 32, True, two, checkpoint_format="gptq")
ordered("gptq-ordered")
gptq_planar("gptq-planar-5", 5)
gptq_planar("gptq-planar-7", 7)
awq("awq")
compressed("compressed-4", 4, True)
compressed("compressed-4-zeros", 4, False)
compressed("compressed-3", 3, True)
compressed("compressed-3-padded", 3, True, padded=True)
