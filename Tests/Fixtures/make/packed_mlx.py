"""Tiny models quantized by MLX and mlx-lm, and what MLX makes of their codes.

Needs mlx, mlx-cpu and mlx-lm (which declares mlx for macOS only, so install it with --no-deps), in an environment of its
own: they want other versions than the other scripts. Writes packed/mlx-rounding.safetensors with matrices, their codes,
scales and biases for all widths and groups, and packed/mlx-olmoe, a model of two layers with a width for each kind of
module, as mlx_lm.convert writes it, with the tokens that mlx-lm generates from three prompts.
"""

import json
import pathlib
import shutil

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.models import olmoe
from mlx_lm.utils import save_config

folder = pathlib.Path("packed")
folder.mkdir(exist_ok=True)
mx.random.seed(0)

arrays = {}
for name, dtype in (("f32", mx.float32), ("bf16", mx.bfloat16), ("f16", mx.float16)):
    weight = mx.random.normal((6, 128)).astype(dtype)
    weight[0] = 0
    weight[1] = mx.abs(weight[1]) + 1
    weight[2, :64] = 0.25
    weight[3, 5] = 100
    arrays[f"{name}"] = weight
    for bits in (2, 3, 4, 5, 6, 8):
        for group in (32, 64, 128):
            codes, scales, biases = mx.quantize(weight, group_size=group, bits=bits)
            key = f"{name}.{bits}.{group}"
            arrays |= {key + ".codes": codes, key + ".scales": scales, key + ".biases": biases,
                       key + ".values": mx.dequantize(codes, scales.astype(mx.float32), biases.astype(mx.float32), group, bits)}
mxfp4 = mx.random.normal((4, 64)).astype(mx.bfloat16)
codes, scales = mx.quantize(mxfp4, group_size=32, bits=4, mode="mxfp4")[:2]
arrays |= {"mxfp4.codes": codes, "mxfp4.scales": scales,
           "mxfp4.values": mx.dequantize(codes, scales, group_size=32, bits=4, mode="mxfp4").astype(mx.float32)}
mx.save_safetensors(str(folder / "mlx-rounding.safetensors"), arrays)

config = {"model_type": "olmoe", "architectures": ["OlmoeForCausalLM"], "vocab_size": 160, "hidden_size": 64,
          "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
          "hidden_act": "silu", "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
          "num_experts": 6, "num_experts_per_tok": 2, "norm_topk_prob": False, "tie_word_embeddings": False,
          "attention_bias": False, "mlp_bias": False, "eos_token_id": None, "dtype": "float32"}
arguments = olmoe.ModelArgs.from_dict(config)
model = olmoe.Model(arguments)
model.update({})
weights = [(name, (mx.random.normal(value.shape) * (0.3 if value.ndim > 1 else 0.1) + (value.ndim == 1)).astype(mx.float32))
           for name, value in tree_flatten(model.parameters())]
model.load_weights(weights)


def widths(path, module):
    """The setting of a module, as `quant_predicate` returns it."""
    if "switch_mlp" in path:
        return {"bits": 3, "group_size": 32} if "down_proj" in path else {"bits": 4, "group_size": 64}
    if path.endswith("mlp.gate"):
        return {"bits": 8, "group_size": 64}
    if "lm_head" in path:
        return False
    if path == "model.layers.1.self_attn.o_proj":
        return {"bits": 6, "group_size": 32}
    return hasattr(module, "to_quantized") and {"bits": 8, "group_size": 32}


quantized = {"group_size": 32, "bits": 8, "mode": "affine"}


def predicate(path, module):
    if not hasattr(module, "to_quantized"):
        return False
    setting = widths(path, module)
    if setting is False or setting != {"bits": 8, "group_size": 32}:
        quantized[path] = setting
    return setting


nn.quantize(model, group_size=32, bits=8, class_predicate=predicate)
# One path is missing from the map, as in files that older versions wrote: its width shows in its shapes.
del quantized["model.layers.1.self_attn.o_proj"]
target = folder / "mlx-olmoe"
shutil.rmtree(target, ignore_errors=True)
target.mkdir()
model.save_weights(str(target / "model.safetensors"))
config["quantization"] = quantized
config["quantization_config"] = quantized
save_config(config, config_path=target / "config.json")

texts, logits = [], []
for prompt in ([1, 2, 3], [150, 7, 7, 90], [42]):
    tokens = list(prompt)
    for step in range(64):
        scores = model(mx.array([tokens]))[0, -1].astype(mx.float32)
        if step == 0:
            logits.append(np.array(scores).tolist())
        tokens.append(int(mx.argmax(scores)))
    texts.append({"prompt": prompt, "tokens": tokens[len(prompt):]})
(target / "expected.json").write_text(json.dumps({"texts": texts, "logits": logits}))
