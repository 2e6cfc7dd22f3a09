"""Makes small records of routing in the formats of other systems, all of the same choices.

The layouts follow what the systems write: SGLang's expert distribution recorder (torch.save), Megatron-Core's
router_trace.py (JSON lines), vLLM's routed experts and ExFlow's traces (NumPy), llama.cpp's moe-trace (CSV).
"""

import io
import json
import pathlib
import pickle
import zipfile
from collections import OrderedDict

import numpy
import torch

folder = pathlib.Path("traces")
folder.mkdir(exist_ok=True)
TOKENS, LAYERS, EXPERTS, K = 12, 3, 8, 2
random = numpy.random.default_rng(5)
ids = numpy.stack(
    [[random.permutation(EXPERTS)[:K] for _ in range(LAYERS)] for _ in range(TOKENS)]
).astype(numpy.int32)
ids[0, 0, 0] = EXPERTS - 1
weights = random.random((TOKENS, LAYERS, K)).astype(numpy.float16)
tokens = random.integers(0, 1000, TOKENS)

numpy.save(folder / "vllm.npy", ids.astype(numpy.int16))
numpy.save(folder / "vllm_weights.npy", weights)
numpy.save(folder / "vllm_lengths.npy", numpy.array([5, 7]))
numpy.save(folder / "fortran.npy", numpy.asfortranarray(ids.astype(numpy.uint8)))
numpy.save(folder / "exflow.npy", ids[:, :, 0].astype(numpy.int64))

# SGLang numbers physical experts; here each layer's are rotated. Layer 0 is dense.
rotation = torch.tensor([[(p + layer) % EXPERTS for p in range(EXPERTS)] for layer in range(LAYERS + 1)])
physical = torch.full((LAYERS + 1, TOKENS, K), -1, dtype=torch.int32)
for layer in range(LAYERS):
    physical[layer + 1] = torch.tensor((ids[:, layer] - (layer + 1)) % EXPERTS)


def record(step, begin, end, first):
    return {
        "forward_pass_id": step, "rank": 0, "gatherer_key": "primary",
        "input_ids": tokens[begin:end].tolist(),
        "positions": list(range(first, first + end - begin)),
        "topk_ids_of_layer": physical[:, begin:end].clone(), "misc_objects": [],
    }


torch.save(
    {"records": [record(0, 0, 7, 0), record(1, 7, 12, 0)], "last_physical_to_logical_map": rotation},
    folder / "sglang_per_token.pt")
counts = torch.tensor(numpy.stack(
    [numpy.stack([numpy.bincount(ids[half, layer].ravel(), minlength=EXPERTS) for layer in range(LAYERS)])
     for half in (slice(0, 6), slice(6, 12))]))
torch.save(
    {"rank": 0, "logical_count": counts, "average_utilization_rate_over_window": 0.5},
    folder / "sglang_stat.pt")

with open(folder / "megatron.jsonl", "w") as file:
    for step, (begin, end) in enumerate([(0, 8), (8, 12)]):
        for layer in range(LAYERS):
            file.write(json.dumps({
                "step": step, "stage": "pre_dispatch", "block": "decoder", "layer": layer + 1, "rank": 0,
                "num_tokens": end - begin, "topk": K, "top_indices": ids[begin:end, layer].tolist()}) + "\n")
        file.write(json.dumps({
            "step": step, "stage": "pre_dispatch", "block": "mtp", "layer": 0, "rank": 0, "mtp_idx": 0,
            "num_tokens": 1, "topk": K, "top_indices": [[0, 1]]}) + "\n")

# A prompt of ten tokens, whose last layer computes its last token only, and two generated ones.
with open(folder / "llamacpp.csv", "w") as file:
    file.write("layer,expert\n")
    for begin, end in [(0, 10), (10, 11), (11, 12)]:
        for layer in range(LAYERS):
            start = end - 1 if layer == LAYERS - 1 else begin
            for expert in ids[start:end, layer].ravel():
                file.write(f"{layer},{expert}\n")

# A state dictionary as models are saved: an OrderedDict of parameters and views.
base = torch.arange(12, dtype=torch.float32)
state = OrderedDict(
    weight=torch.nn.Parameter(base.reshape(3, 4).clone()), view=base.reshape(3, 4).t()[1:],
    half=torch.tensor([1.5, -2.0], dtype=torch.bfloat16), step=torch.tensor(7))
state._metadata = OrderedDict({"": {"version": 1}})
torch.save(state, folder / "state.pt")


class Hostile:
    def __reduce__(self):
        return (eval, ("open('/tmp/switchyard-was-here', 'w')",))


torch.save({"records": Hostile()}, folder / "hostile.pt")
numpy.save(folder / "expected_ids.npy", ids.astype(numpy.uint16))
numpy.save(folder / "expected_tokens.npy", tokens.astype(numpy.int32))
