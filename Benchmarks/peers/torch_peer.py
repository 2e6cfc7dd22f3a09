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
from safetensors import safe_open


def private_memory():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024


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


BENCHMARKS = {f.__name__: f for f in (tiny_addition, mlp_gradients, mlp_training, checkpoint_open, checkpoint_read)}

print(json.dumps({"name": f"PyTorch {torch.__version__}, safetensors {safetensors.__version__}, "
                          f"Python {sys.version.split()[0]}"}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    print(json.dumps(BENCHMARKS[request["benchmark"]](request)), flush=True)
