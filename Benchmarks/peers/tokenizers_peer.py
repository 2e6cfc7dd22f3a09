"""The same work as TokenizerComparisons.swift, done by the tokenizers library on one thread."""

import json
import os
import statistics
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def tokenizer_training(request):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=4096, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    start = time.perf_counter()
    tokenizer.train([request["path"]], trainer)
    return {"seconds": time.perf_counter() - start}


def tokenizer_encoding(request):
    tokenizer = Tokenizer.from_file(request["path"] + ".json")
    text = open(request["path"], encoding="utf-8").read()
    samples = []
    for _ in range(request["iterations"]):
        start = time.perf_counter()
        tokenizer.encode(text)
        samples.append(time.perf_counter() - start)
    return {"seconds": statistics.median(samples)}


BENCHMARKS = {f.__name__: f for f in (tokenizer_training, tokenizer_encoding)}
print(json.dumps({"name": f"tokenizers {tokenizers.__version__}, one thread"}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(BENCHMARKS[request["benchmark"]](request)), flush=True)
