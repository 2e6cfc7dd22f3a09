"""Writes a model folder of the family OLMoE as a GGUF file with one type for all matrices, for llama_peer.py.

    python make_gguf.py MODEL_FOLDER OUT.gguf q8_0|q4_0 [llama]

ik_llama.cpp does not know OLMoE; `llama` writes the same matrices as a Mixtral, which has no norms of queries and keys.
"""

import json
import pathlib
import struct
import sys

import gguf
import numpy as np


def tensors(folder):
    """Names and f32 values of a safetensors file, one after another."""
    data = np.memmap(folder / "model.safetensors", dtype=np.uint8, mode="r")
    length = struct.unpack("<Q", data[:8].tobytes())[0]
    header = json.loads(data[8:8 + length].tobytes())
    def read(name):
        entry = header[name]
        first, last = entry["data_offsets"]
        raw = data[8 + length + first:8 + length + last]
        if entry["dtype"] == "BF16":
            values = (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = raw.view(np.float32)
        return values.reshape(entry["shape"])
    return header, read


def main(folder, out, kind, architecture="olmoe"):
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    header, read = tensors(folder)
    kinds = {"q8_0": gguf.GGMLQuantizationType.Q8_0, "q4_0": gguf.GGMLQuantizationType.Q4_0,
             "bf16": gguf.GGMLQuantizationType.BF16}
    writer = gguf.GGUFWriter(out, architecture)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_expert_count(config["num_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])

    def add(name, values, matrix=True):
        if not matrix:
            return writer.add_tensor(name, values.astype(np.float32))
        writer.add_tensor(name, gguf.quants.quantize(values, kinds[kind]), raw_dtype=kinds[kind])

    add("token_embd.weight", read("model.embed_tokens.weight"))
    add("output_norm.weight", read("model.norm.weight"), matrix=False)
    add("output.weight", read("lm_head.weight"))
    for layer in range(config["num_hidden_layers"]):
        old, new = f"model.layers.{layer}.", f"blk.{layer}."
        for a, b in [("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
                     ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"),
                     ("mlp.gate", "ffn_gate_inp")]:
            if architecture == "olmoe" or "attn_q_norm" != b != "attn_k_norm":
                add(new + b + ".weight", read(old + a + ".weight"), matrix=False)
        for a, b in [("q_proj", "attn_q"), ("k_proj", "attn_k"), ("v_proj", "attn_v"), ("o_proj", "attn_output")]:
            add(new + b + ".weight", read(old + "self_attn." + a + ".weight"))
        for a, b in [("gate_proj", "ffn_gate_exps"), ("up_proj", "ffn_up_exps"), ("down_proj", "ffn_down_exps")]:
            stack = [read(f"{old}mlp.experts.{e}.{a}.weight") for e in range(config["num_experts"])]
            add(new + b + ".weight", np.stack(stack))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
