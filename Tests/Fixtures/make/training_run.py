"""A hundred steps of a small Mixtral by transformers and PyTorch's AdamW.

Writes training-run/: a model folder with the initial weights, tokens.safetensors (a token file as Switchyard
writes them), and expected.safetensors with the loss, its parts and the gradient norm of every step. The order of the
windows is Switchyard's: xoshiro256** seeded through SplitMix64, and Fisher and Yates' shuffle.
"""

import json
import math
import pathlib
import shutil

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file
from transformers import MixtralConfig, MixtralForCausalLM

STEPS, BATCH, CONTEXT, SEED, VOCABULARY = 100, 4, 16, 7, 96
PEAK, FINAL, WARMUP, CLIP, DECAY, BALANCE = 3e-3, 3e-4, 10, 1.0, 0.1, 0.02
MASK = (1 << 64) - 1


def numbers(seed):
    state, mixer = [], seed
    for _ in range(4):
        mixer = (mixer + 0x9E3779B97F4A7C15) & MASK
        word = mixer
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
        state.append(word ^ (word >> 31))
    turned = lambda x, k: ((x << k) | (x >> (64 - k))) & MASK
    while True:
        yield turned(state[1] * 5 & MASK, 7) * 9 & MASK
        shifted = state[1] << 17 & MASK
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= shifted
        state[3] = turned(state[3], 45)


def order(count, seed, epoch):
    source, result = numbers((seed + epoch * 0x9E3779B97F4A7C15) & MASK), list(range(count))
    for place in range(count - 1, 0, -1):
        other = next(source) * (place + 1) >> 64
        result[place], result[other] = result[other], result[place]
    return result


def rate(step):
    if step < WARMUP:
        return PEAK * (step + 1) / WARMUP
    return FINAL + (PEAK - FINAL) * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))) / 2


folder = pathlib.Path("training-run")
shutil.rmtree(folder, ignore_errors=True)
torch.manual_seed(20261121)
torch.set_num_threads(1)
config = MixtralConfig(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=24, num_hidden_layers=2,
                       num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
                       num_experts_per_tok=2, num_local_experts=4, router_aux_loss_coef=BALANCE,
                       output_router_logits=True, bos_token_id=None, eos_token_id=None, pad_token_id=None)
model = MixtralForCausalLM(config).float().train()
model.save_pretrained(folder)
(folder / "generation_config.json").unlink(missing_ok=True)

# Each token follows from the two before it, with some noise: something to learn.
noise = np.random.default_rng(3)
tokens = [1, 2]  # Twelve of the 96 tokens occur, which is learned first.
while len(tokens) < 2500:
    tokens.append(int((3 * tokens[-1] + tokens[-2] + noise.integers(0, 3)) % 12))
tokens = np.array(tokens, dtype=np.uint16)
origin = {"version": 1, "tokenizer": "none", "vocabulary": VOCABULARY, "sources": ["made"], "bytes": 0}
save_numpy({"tokens": tokens, "document_starts": np.zeros(1, np.int64)}, folder / "tokens.safetensors",
           metadata={"switchyard": json.dumps(origin)})

count = (len(tokens) - 1) // CONTEXT
windows = torch.tensor(np.stack([tokens[w * CONTEXT:(w + 1) * CONTEXT + 1] for w in range(count)]).astype(np.int64))
sequence = [w for epoch in range(STEPS * BATCH // count + 1) for w in order(count, SEED, epoch)]

parameters = list(model.parameters())
groups = [{"params": [p for p in parameters if (p.dim() >= 2) == decays], "weight_decay": DECAY if decays else 0.0}
          for decays in (True, False)]
optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.95), eps=1e-8)
found = {"loss": [], "cross_entropy": [], "balance": [], "norm": []}
for step in range(STEPS):
    batch = windows[sequence[step * BATCH:(step + 1) * BATCH]]
    output = model(batch[:, :-1], output_router_logits=True)
    entropy = F.cross_entropy(output.logits.reshape(-1, VOCABULARY), batch[:, 1:].reshape(-1))
    loss = entropy + BALANCE * output.aux_loss
    optimizer.zero_grad()
    loss.backward()
    found["norm"].append(torch.nn.utils.clip_grad_norm_(parameters, CLIP))
    for group in optimizer.param_groups:
        group["lr"] = rate(step)
    optimizer.step()
    for name, value in ("loss", loss), ("cross_entropy", entropy), ("balance", output.aux_loss):
        found[name].append(value.detach())
save_file({name: torch.stack(values).detach() for name, values in found.items()}, folder / "expected.safetensors")
print(f"  loss {found['loss'][0]:.4f} to {found['loss'][-1]:.4f}")
