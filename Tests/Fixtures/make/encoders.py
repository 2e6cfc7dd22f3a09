"""Small random encoders, made and run by transformers.

Writes encoders/NAME/: config.json and model.safetensors as transformers saves them, and expected.safetensors with
padded tokens, segments, the mask, last hidden states, the pooler's answer where there is one, and the gradients of
the mean of all valid hidden states weighted by `slope`.
"""

import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

torch.set_num_threads(1)
BERT = dict(vocab_size=60, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
            max_position_embeddings=24, initializer_range=0.3, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, attn_implementation="eager")
DISTIL = dict(vocab_size=60, dim=24, n_layers=2, n_heads=4, hidden_dim=40, max_position_embeddings=24,
              initializer_range=0.3, dropout=0.0, attention_dropout=0.0, attn_implementation="eager")
MODELS = {
    "bert": lambda: BertModel(BertConfig(**BERT)),
    "bert-relu": lambda: BertModel(BertConfig(**{**BERT, "hidden_act": "relu", "layer_norm_eps": 1e-5})),
    "distilbert": lambda: DistilBertModel(DistilBertConfig(**DISTIL)),
}
LENGTHS = [9, 4, 20, 9, 2]

for number, (name, make) in enumerate(MODELS.items()):
    folder = pathlib.Path("encoders") / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(70 + number)
    model = make().float().eval()
    # Biases and norms start at constants; a test needs them to matter.
    for key, p in model.named_parameters():
        if key.endswith("bias") or "norm" in key.lower():
            torch.nn.init.normal_(p, mean=1.0 if key.lower().endswith("norm.weight") else 0.0, std=0.2)
    tokens = torch.randint(0, 60, (len(LENGTHS), max(LENGTHS)))
    mask = torch.zeros_like(tokens)
    segments = torch.zeros_like(tokens)
    for row, length in enumerate(LENGTHS):
        mask[row, :length] = 1
        segments[row, length // 2:length] = 1
    more = {} if name == "distilbert" else {"token_type_ids": segments}
    output = model(input_ids=tokens, attention_mask=mask, **more)
    hidden = output.last_hidden_state * mask[..., None]
    slope = torch.randn(24)
    (hidden @ slope).sum().backward()
    model.save_pretrained(folder)
    expected = {"tokens": tokens, "segments": segments, "lengths": torch.tensor(LENGTHS), "hidden": hidden,
                "slope": slope}
    if getattr(output, "pooler_output", None) is not None:
        expected["pooled"] = output.pooler_output
    for key, p in model.named_parameters():
        expected["grad/" + key] = torch.zeros_like(p) if p.grad is None else p.grad
    save_file({k: v.detach().contiguous().clone() for k, v in expected.items()}, folder / "expected.safetensors")
    print(f"  {name}")
