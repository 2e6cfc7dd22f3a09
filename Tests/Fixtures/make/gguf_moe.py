"""Small mixtures of experts in GGUF files, written with the format's reference implementation.

Writes gguf/ARCHITECTURE.gguf with f32 weights and gguf/ARCHITECTURE-quantized.gguf, whose experts are Q8_0 and Q4_0 and
whose other matrices are F16 and BF16, for the five architectures; and gguf/moe.safetensors with tokens and with
transformers' logits with the weights that the reference reads from each file. The DeepSeek model is made of
transformers' Llama model and the layer below, because transformers has no class for it.

LLAMA=1 compares the logits with llama.cpp's, which needs llama-cpp-python; differences are printed.
"""

import os
import pathlib

import gguf
import numpy as np
import torch
import torch.nn.functional as F
from gguf import GGMLQuantizationType as T
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM, OlmoeConfig,
                          OlmoeForCausalLM, Qwen2MoeConfig, Qwen2MoeForCausalLM, Qwen3MoeConfig,
                          Qwen3MoeForCausalLM)

torch.set_num_threads(1)
folder = pathlib.Path("gguf")
HIDDEN, INNER, LAYERS, HEADS, VOCABULARY, EXPERTS, K = 32, 32, 2, 4, 96, 4, 2
COMMON = dict(vocab_size=VOCABULARY, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
              max_position_embeddings=128, initializer_range=0.3, eos_token_id=None, pad_token_id=None, bos_token_id=None,
              rms_norm_eps=1e-5, attn_implementation="eager", tie_word_embeddings=False,
              rope_parameters={"rope_type": "default", "rope_theta": 5000.0})
SPARSE = dict(num_experts_per_tok=K)


class DeepSeekMoE(torch.nn.Module):
    """Section 3 of arXiv:2401.06066: softmax, the k best experts, no renormalization, shared experts added."""

    def __init__(self, shared):
        super().__init__()
        self.gate = torch.nn.Linear(HIDDEN, EXPERTS, bias=False)
        self.experts = torch.nn.Module()
        self.experts.gate_up_proj = torch.nn.Parameter(torch.empty(EXPERTS, 2 * INNER, HIDDEN))
        self.experts.down_proj = torch.nn.Parameter(torch.empty(EXPERTS, HIDDEN, INNER))
        self.shared_experts = torch.nn.ModuleDict({"gate_proj": torch.nn.Linear(HIDDEN, shared * INNER, bias=False),
                                                   "up_proj": torch.nn.Linear(HIDDEN, shared * INNER, bias=False),
                                                   "down_proj": torch.nn.Linear(shared * INNER, HIDDEN, bias=False)})

    def forward(self, x):
        flat = x.reshape(-1, HIDDEN)
        weights, chosen = torch.topk(self.gate(flat).softmax(-1), K, dim=-1)
        rows = []
        for token in range(flat.shape[0]):
            row = 0
            for w, e in zip(weights[token], chosen[token]):
                gate, up = (self.experts.gate_up_proj[e] @ flat[token]).chunk(2)
                row = row + w * (self.experts.down_proj[e] @ (F.silu(gate) * up))
            rows.append(row)
        s = self.shared_experts
        return torch.stack(rows).reshape(x.shape) + s["down_proj"](F.silu(s["gate_proj"](x)) * s["up_proj"](x))


def deepseek():
    model = LlamaForCausalLM(LlamaConfig(**COMMON, intermediate_size=64, num_key_value_heads=2))
    for layer in model.model.layers[1:]:
        layer.mlp = DeepSeekMoE(shared=2)
        for p in layer.mlp.parameters():
            torch.nn.init.normal_(p, 0, 0.3)
    return model


def sizes(ff, **more):
    return lambda w: [w.add_feed_forward_length(ff)] + [getattr(w, "add_" + k)(v) for k, v in more.items()]


MODELS = {
    "olmoe": (lambda: OlmoeForCausalLM(OlmoeConfig(
        **COMMON, **SPARSE, intermediate_size=INNER, num_key_value_heads=HEADS, num_experts=EXPERTS,
        norm_topk_prob=False)), HEADS, sizes(INNER)),
    "qwen2moe": (lambda: Qwen2MoeForCausalLM(Qwen2MoeConfig(
        **COMMON, **SPARSE, intermediate_size=96, num_key_value_heads=2, num_experts=EXPERTS,
        moe_intermediate_size=INNER, shared_expert_intermediate_size=64, norm_topk_prob=False)), 2,
        sizes(96, expert_feed_forward_length=INNER, expert_shared_feed_forward_length=64)),
    "qwen3moe": (lambda: Qwen3MoeForCausalLM(Qwen3MoeConfig(
        **COMMON, **SPARSE, intermediate_size=96, num_key_value_heads=2, num_experts=EXPERTS, head_dim=16,
        moe_intermediate_size=INNER, norm_topk_prob=True)), 2,
        sizes(96, expert_feed_forward_length=INNER, key_length=16, value_length=16)),
    "llama": (lambda: MixtralForCausalLM(MixtralConfig(
        **COMMON, **SPARSE, intermediate_size=INNER, num_key_value_heads=2, num_local_experts=EXPERTS)), 2,
        sizes(INNER, rope_dimension_count=HIDDEN // HEADS)),
    "deepseek": (deepseek, 2, sizes(64, expert_feed_forward_length=INNER, leading_dense_block_count=1,
                                    expert_shared_count=2, expert_weights_scale=1.0,
                                    rope_dimension_count=HIDDEN // HEADS,
                                    rope_scaling_type=gguf.RopeScalingType.NONE)),
}
OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
INNER_NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
               "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
               "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate": "ffn_gate_inp",
               "mlp.shared_expert_gate": "ffn_gate_inp_shexp"}
for p in ["gate", "up", "down"]:
    INNER_NAMES[f"mlp.{p}_proj"] = f"ffn_{p}"
    INNER_NAMES[f"mlp.shared_expert.{p}_proj"] = INNER_NAMES[f"mlp.shared_experts.{p}_proj"] = f"ffn_{p}_shexp"
TYPES = {"ffn_gate_exps": T.Q8_0, "ffn_up_exps": T.Q4_0, "ffn_down_exps": T.Q4_0, "attn_q": T.F16, "attn_k": T.BF16,
         "ffn_gate_shexp": T.Q8_0, "token_embd": T.Q8_0, "output": T.F16}


def reordered(x, heads):
    """Rows of queries and keys as llama.cpp's converter writes them for some architectures."""
    return x.reshape(heads, 2, x.shape[0] // heads // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def restored(x, heads):
    return x.reshape(heads, x.shape[0] // heads // 2, 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def target(name):
    """A parameter's tensor in the file; the two projections of `gate_up_proj` are split by the caller."""
    stem, end = name.rsplit(".", 1)
    if stem in OUTER:
        return f"{OUTER[stem]}.{end}"
    _, _, layer, rest = name.split(".", 3)
    stem, end = rest.rsplit(".", 1)
    return f"blk.{layer}.{INNER_NAMES[stem]}.{end}"


def parts(name, p):
    """Names of tensors with the parameters' parts that they hold."""
    if name.endswith("experts.gate_up_proj"):
        layer = name.split(".")[2]
        return [(f"blk.{layer}.ffn_gate_exps.weight", p[:, :INNER]), (f"blk.{layer}.ffn_up_exps.weight", p[:, INNER:])]
    if name.endswith("experts.down_proj"):
        return [(f"blk.{name.split('.')[2]}.ffn_down_exps.weight", p)]
    return [(target(name), p)]


def write(path, architecture, model, keys, add_sizes, is_quantized):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(keys)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(5000.0)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(K)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("none")
    add_sizes(writer)
    swaps = architecture in ["llama", "deepseek"]
    with torch.no_grad():
        for name, p in model.named_parameters():
            heads = {"attn_q": HEADS, "attn_k": keys}
            for tensor, view in parts(name, p):
                stem = tensor.split(".")[-2]
                x = view.numpy()
                if stem == "ffn_gate_inp_shexp":
                    x = x.reshape(-1)
                if swaps and stem in heads:
                    x = reordered(x, heads[stem])
                kind = TYPES.get(stem, T.F32) if is_quantized and tensor.endswith("weight") else T.F32
                data = gguf.quants.quantize(np.ascontiguousarray(x, dtype=np.float32), kind)
                writer.add_tensor(tensor, data, raw_dtype=kind)
                values = gguf.quants.dequantize(data, kind).astype(np.float32).reshape(x.shape)
                if swaps and stem in heads:
                    values = restored(values, heads[stem])
                view.copy_(torch.from_numpy(np.ascontiguousarray(values)).reshape(view.shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def compare(path, ids, logits):
    from llama_cpp import Llama
    llm = Llama(str(path), n_ctx=64, n_batch=64, logits_all=True, verbose=False)
    llm.eval(ids[0].tolist())
    found = torch.tensor(np.array(llm.scores[:ids.shape[1]]))
    print(path, "llama.cpp differs by", float((found - logits[0]).abs().max()), "of", float(logits.abs().max()))


ids = torch.randint(0, VOCABULARY, (1, 24), generator=torch.Generator().manual_seed(3))
expected = {"tokens": ids}
for architecture, (make, keys, add_sizes) in MODELS.items():
    torch.manual_seed(3)
    model = make().float().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                p.normal_(1.0 if "norm" in name else 0.0, 0.2)
    for kind in ["", "-quantized"]:
        path = folder / f"{architecture}{kind}.gguf" if architecture != "llama" else folder / f"mixtral{kind}.gguf"
        write(path, architecture, model, keys, add_sizes, kind != "")
        with torch.no_grad():
            logits = model(ids).logits
        expected[path.stem] = logits.contiguous()
        if "LLAMA" in os.environ:
            compare(path, ids, logits)
save_file(expected, folder / "moe.safetensors")
