"""Writes a GGUF file of SmolLM2 as a folder that transformers opens, in f32.

    python open_gguf.py FILE.gguf FOLDER

transformers reads the weights; its tokenizer for such files lacks the step that separates digits, which the published
tokenizer.json of SmolLM2 has, so it is put back.
"""

import json
import pathlib
import sys

import torch
import transformers


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    path, out = map(pathlib.Path, sys.argv[1:])
    source = dict(gguf_file=path.name)
    read = transformers.AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **source)
    settings = {key: value for key, value in read.config.to_dict().items() if key != "quantization_config"}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**settings)).float()
    model.load_state_dict(read.state_dict())
    model.save_pretrained(out)
    transformers.AutoTokenizer.from_pretrained(path.parent, **source).save_pretrained(out)
    tokenizer = json.loads((out / "tokenizer.json").read_text())
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]}
    (out / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))


main()
