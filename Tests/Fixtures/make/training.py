"""Fifty steps of a two-layer network with AdamW, gradient clipping and a moving average, by PyTorch.

Writes training.safetensors: inputs, targets, initial weights, the loss and gradient norm of every step, and
the weights and averages at the end; once in f32, once with bf16 weights and f32 master weights.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

STEPS, WARMUP, PEAK, CLIP, DECAY, EMA = 50, 10, 0.02, 0.5, 0.1, 0.95
torch.manual_seed(20260102)
torch.set_num_threads(1)
out = {"inputs": torch.randn(STEPS, 16, 8), "targets": torch.randint(0, 4, (STEPS, 16))}
initial = {"hidden.weight": torch.randn(32, 8) * 0.3, "hidden.bias": torch.zeros(32),
           "output.weight": torch.randn(4, 32) * 0.3, "output.bias": torch.zeros(4)}
for name, value in initial.items():
    out["initial/" + name] = value


def rate(step):
    return PEAK * min(1.0, (step + 1) / WARMUP)


def loss_of(weights, step, dtype):
    x = out["inputs"][step].to(dtype)
    h = F.gelu(F.linear(x, weights["hidden.weight"], weights["hidden.bias"]))
    logits = F.linear(h, weights["output.weight"], weights["output.bias"])
    return F.cross_entropy(logits.float(), out["targets"][step])


def run(kind, dtype):
    masters = {name: value.clone().requires_grad_() for name, value in initial.items()}
    averages = {name: value.clone() for name, value in initial.items()}
    groups = [{"params": [p for p in masters.values() if (p.dim() >= 2) == decays],
               "weight_decay": DECAY if decays else 0.0} for decays in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.95), eps=1e-8)
    losses, norms = [], []
    for step in range(STEPS):
        weights = {n: p.detach().to(dtype).requires_grad_() for n, p in masters.items()}
        loss = loss_of(weights, step, dtype)
        loss.backward()
        for name, master in masters.items():
            master.grad = weights[name].grad.float()
        norms.append(torch.nn.utils.clip_grad_norm_(list(masters.values()), CLIP))
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.step()
        with torch.no_grad():
            for name, master in masters.items():
                averages[name].mul_(EMA).add_(master.to(dtype).float(), alpha=1 - EMA)
        losses.append(loss.detach())
    out[f"{kind}/losses"] = torch.stack(losses)
    out[f"{kind}/norms"] = torch.stack(norms).detach()
    for name in initial:
        out[f"{kind}/final/{name}"] = masters[name].detach().to(dtype)
        out[f"{kind}/average/{name}"] = averages[name]


run("f32", torch.float32)
run("bf16", torch.bfloat16)
save_file({name: value.contiguous().clone() for name, value in out.items()}, "training.safetensors")
