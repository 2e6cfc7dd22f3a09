"""The same work as PackedComparisons.swift, done by llama.cpp or by ik_llama.cpp, whichever Python has.

The protocol of torch_peer.py; "path" is the folder of the dense model, beside which make_gguf.py has written
NAME-TYPE.gguf, and "benchmark" is WORK:TYPE.
"""

import importlib.metadata
import json
import statistics
import sys
import time

try:
    import llama_cpp as library
    name = "llama-cpp-python " + importlib.metadata.version("llama-cpp-python")
except ImportError:
    import ik_llama_cpp as library
    name = "ik-llama-cpp-python " + importlib.metadata.version("ik-llama-cpp-python")

models = {}


def prompt(count, text=0):
    return [(i + 1000 * text) * 7919 % 4096 for i in range(count)]


def opened(request):
    path = f"{request['path']}-{request['benchmark'].split(':')[1]}.gguf"
    if path not in models:
        models.clear()
        models[path] = library.Llama(
            model_path=path, n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=request["threads"],
            n_threads_batch=request["threads"], verbose=False)
    return models[path]


def median_time(step, iterations, warm):
    for _ in range(warm):
        step()
    samples = []
    for _ in range(iterations):
        start = time.perf_counter()
        step()
        samples.append(time.perf_counter() - start)
    return {"seconds": statistics.median(samples)}


def prefill(request):
    model = opened(request)

    def step():
        model.reset()
        model.eval(prompt(512))

    return median_time(step, request["iterations"], 1)


def decode(request):
    model = opened(request)
    model.reset()
    model.eval(prompt(32))
    place = [0]

    def step():
        place[0] += 1
        model.eval([place[0] * 7919 % 4096])

    return median_time(step, request["iterations"], 3)


print(json.dumps({"name": name}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    work = {"prefill": prefill, "decode": decode}[request["benchmark"].split(":")[0]]
    print(json.dumps(work(request)), flush=True)
