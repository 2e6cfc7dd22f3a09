"""The same work as Sources/bench, done by PyTorch and safetensors in Python.

A line protocol: each line on standard input is a JSON object {"benchmark", "iterations", "threads", "path"};
each answer one with the median seconds of an iteration and further figures.
"""

import gc
import json
import statistics
import sys
import time

import safetensors
import torch
import torch.nn.functional as F
from memory import private_memory
from safetensors import safe_open


def timed(step, iterations, inner=1):
    """Median seconds of one step, each sample the mean of `inner` steps."""
    for _ in range(max(3, iterations // 10)):
        step()
    samples = []
    for _ in range(iterations):
        start = time.perf_counter()
        for _ in range(inner):
            step()
        samples.append((time.perf_counter() - start) / inner)
    return {"seconds": statistics.median(samples)}


def tiny_addition(request):
    x = torch.ones(1)
    return timed(lambda: x + x, request["iterations"], inner=10_000)


def mlp(update):
    """Batch 32, 64 inputs, 128 hidden units, 64 outputs."""
    torch.manual_seed(1)
    weights = [torch.randn(128, 64) * 0.1, torch.zeros(128), torch.randn(64, 128) * 0.1, torch.zeros(64)]
    weights = [w.requires_grad_() for w in weights]
    inputs, targets = torch.randn(32, 64), torch.randn(32, 64)
    optimizer = torch.optim.AdamW(weights, lr=1e-3, fused=True) if update else None

    def step():
        hidden = F.relu(F.linear(inputs, weights[0], weights[1]))
        loss = F.mse_loss(F.linear(hidden, weights[2], weights[3]), targets)
        if update:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        else:
            torch.autograd.grad(loss, weights)

    return step


def mlp_gradients(request):
    return timed(mlp(False), request["iterations"], inner=100)


def mlp_training(request):
    return timed(mlp(True), request["iterations"], inner=100)


def checkpoint_open(request):
    gc.collect()
    before = private_memory()
    start = time.perf_counter()
    with safe_open(request["path"], framework="pt") as file:
        tensors = [file.get_tensor(name) for name in file.keys()]
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "bytes": private_memory() - before, "tensors": len(tensors)}


def checkpoint_read(request):
    start = time.perf_counter()
    with safe_open(request["path"], framework="pt") as file:
        total = sum(float(file.get_tensor(name).sum()) for name in file.keys())
    return {"seconds": time.perf_counter() - start, "total": total}


def experts(way, count, k, inner, dtype):
    """The experts of one layer on 512 tokens, run in one of PyTorch's ways."""
    torch.manual_seed(1)
    tokens, hidden = 512, 256
    kind = torch.bfloat16 if dtype == "bf16" else torch.float32
    x = torch.randn(tokens, hidden).to(kind)
    router = (torch.randn(count, hidden) * 0.02).to(kind)
    gate_up = (torch.randn(count, 2 * inner, hidden) * 0.02).to(kind)
    down = (torch.randn(count, hidden, inner) * 0.02).to(kind)

    def slices(rows, sizes):
        parts = [F.linear(part, gate_up[e]).chunk(2, -1) for e, part in enumerate(rows.split(sizes.tolist()))]
        return torch.cat([F.linear(F.silu(g) * u, down[e]) for e, (g, u) in enumerate(parts)])

    def batched(rows, sizes):
        places = torch.cat([torch.arange(n) for n in sizes.tolist()])
        owners = torch.repeat_interleave(torch.arange(count), sizes)
        padded = rows.new_zeros(count, int(sizes.max()), hidden)
        padded[owners, places] = rows
        g, u = torch.bmm(padded, gate_up.mT).chunk(2, -1)
        return torch.bmm(F.silu(g) * u, down.mT)[owners, places]

    def grouped(rows, sizes):
        ends = sizes.cumsum(0, dtype=torch.int32)
        g, u = F.grouped_mm(rows, gate_up.mT, offs=ends).chunk(2, -1)
        return F.grouped_mm(F.silu(g) * u, down.mT, offs=ends)

    run = {"slices": slices, "batched": batched, "grouped": grouped}[way]

    def step():
        weights, chosen = F.linear(x, router).float().softmax(-1).topk(k)
        weights = weights / weights.sum(-1, keepdim=True)
        order = chosen.flatten().argsort(stable=True)
        sizes = chosen.flatten().bincount(minlength=count)
        answers = run(x[order // k], sizes) * weights.flatten()[order, None].to(kind)
        return torch.zeros_like(x).index_add_(0, order // k, answers)

    return torch.inference_mode()(step)


def linear(rows, inputs, outputs, dtype):
    """One linear layer without bias."""
    kind = torch.bfloat16 if dtype == "bf16" else torch.float32
    x, weight = torch.randn(rows, inputs).to(kind), (torch.randn(outputs, inputs) * 0.02).to(kind)
    return torch.inference_mode()(lambda: F.linear(x, weight))


def packed(rows, inputs, outputs, group, count):
    """Products of packed weights of 4 bits, one after another."""
    x = torch.randn(rows, inputs, dtype=torch.bfloat16)
    scales = torch.randn(inputs // group, outputs, 2, dtype=torch.bfloat16)
    weights = [torch._convert_weight_to_int4pack_for_cpu(torch.randint(0, 16, (outputs, inputs), dtype=torch.int32), 1)
               for _ in range(count)]

    def step():
        for weight in weights:
            torch._weight_int4pack_mm_for_cpu(x, weight, group, scales)

    return torch.inference_mode()(step)


BENCHMARKS = {f.__name__: f for f in (tiny_addition, mlp_gradients, mlp_training, checkpoint_open, checkpoint_read)}

print(json.dumps({"name": f"PyTorch {torch.__version__}, safetensors {safetensors.__version__}, "
                          f"Python {sys.version.split()[0]}"}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    name, *words = request["benchmark"].split()
    if name == "experts":
        answer = timed(experts(words[0], *map(int, words[1:4]), words[4]), request["iterations"])
    elif name == "linear":
        answer = timed(linear(*map(int, words[:3]), words[3]), request["iterations"])
    elif name == "packed":
        answer = timed(packed(*map(int, words)), request["iterations"])
    else:
        answer = BENCHMARKS[name](request)
    print(json.dumps(answer), flush=True)
