"""The same work as DecoderComparisons.swift, done by transformers with the best of its expert implementations.

The protocol of torch_peer.py; "path" is a model folder.
"""

import json
import statistics
import sys
import time

import torch
import transformers
from transformers import AutoModelForCausalLM, DynamicCache

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
models = {}


def candidates(path, names):
    """The model, once under each way of running experts that works here."""
    if path not in models:
        models.clear()
        models[path] = AutoModelForCausalLM.from_pretrained(path, dtype="auto").eval()
    model = models[path]
    for name in names:
        try:
            model.set_experts_implementation(name)
            model(prompt(4))
        except Exception as error:  # Not every version has every implementation for every type.
            print(f"peer: {name}: {str(error)[:100]}", file=sys.stderr)
            continue
        yield model


def prompt(count, texts=1):
    return torch.tensor([[(i + 1000 * text) * 7919 % 4096 for i in range(count)] for text in range(texts)])


def median_time(step, iterations):
    for _ in range(2):
        step()
    samples = []
    for _ in range(iterations):
        start = time.perf_counter()
        step()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


@torch.inference_mode()
def prefill(request):
    tokens = prompt(512)
    # batched_mm gathers a copy of the weights for every token, which a long prompt makes hopeless.
    best = min(median_time(lambda: model(tokens, use_cache=True, logits_to_keep=1), request["iterations"])
               for model in candidates(request["path"], ("eager", "grouped_mm")))
    return {"seconds": best}


@torch.inference_mode()
def decode(request, texts=1):
    times = []
    for model in candidates(request["path"], ("eager", "batched_mm", "grouped_mm")):
        cache = DynamicCache()
        state = {"next": model(prompt(32, texts), past_key_values=cache, logits_to_keep=1).logits.argmax(-1)}

        def step():
            state["next"] = model(state["next"], past_key_values=cache, logits_to_keep=1).logits.argmax(-1)

        times.append(median_time(step, request["iterations"]))
    return {"seconds": min(times)}


def decode_eight(request):
    return decode(request, texts=8)


BENCHMARKS = {f.__name__: f for f in (prefill, decode, decode_eight)}
print(json.dumps({"name": f"transformers {transformers.__version__} on PyTorch {torch.__version__}"}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    print(json.dumps(BENCHMARKS[request["benchmark"]](request)), flush=True)
