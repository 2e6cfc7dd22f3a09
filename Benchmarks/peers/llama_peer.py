"""The same work as PackedComparisons.swift, done by llama.cpp or by ik_llama.cpp, whichever Python has.

The protocol of torch_peer.py; "path" is the folder of the dense model, beside which make_gguf.py has written
NAME-TYPE.gguf, and NAME-TYPE-llama.gguf for ik_llama.cpp; "benchmark" is WORK:TYPE.
"""

import ctypes
import importlib.metadata
import importlib.util
import json
import pathlib
import statistics
import sys
import time

try:
    import llama_cpp

    name = "llama-cpp-python " + importlib.metadata.version("llama-cpp-python")

    suffix = ""

    def load(path, threads):
        return llama_cpp.Llama(model_path=path, n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=threads,
                               n_threads_batch=threads, verbose=False)
except ImportError:
    # Its libraries do not find each other.
    libraries = pathlib.Path(importlib.util.find_spec("ik_llama_cpp").origin).parent / "lib"
    for library in ("libggml.so", "libllama.so"):
        ctypes.CDLL(str(libraries / library), mode=ctypes.RTLD_GLOBAL)
    import ik_llama_cpp
    from ik_llama_cpp import _ctypes_api, _internals

    name = "ik-llama-cpp-python " + importlib.metadata.version("ik-llama-cpp-python")

    class Session:
        """The part of llama_cpp.Llama that is used here."""

        def __init__(self, path, threads):
            self.model = ik_llama_cpp.IkLlama(path, n_ctx=1024, n_threads=threads, verbose=False)
            self.count = 0

        def reset(self):
            self.model._context.kv_cache_clear()
            self.count = 0

        def eval(self, tokens):
            batch = _internals.make_batch_range(tokens, pos_start=self.count)
            if self.model._context.decode(batch) != 0:
                raise RuntimeError("the batch was refused")
            _ctypes_api.llama_batch_free(batch)
            self.count += len(tokens)

    load = Session
    suffix = "-llama"

models = {}


def prompt(count, text=0):
    return [(i + 1000 * text) * 7919 % 4096 for i in range(count)]


def opened(request):
    path = f"{request['path']}-{request['benchmark'].split(':')[1]}{suffix}.gguf"
    if path not in models:
        models.clear()
        models[path] = load(path, request["threads"])
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
