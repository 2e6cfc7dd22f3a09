"""Random blocks of the types that GGUF files store, and what the format's reference implementation makes of them.

Writes gguf/blocks.safetensors: TYPE with the bytes of a few blocks, and TYPE/values. Scales are finite.
"""

import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file

random = np.random.default_rng(4)
# The types with the places of the high bytes of their f16 scales.
PLACES = {T.Q4_0: [1], T.Q4_1: [1, 3], T.Q5_0: [1], T.Q5_1: [1, 3], T.Q8_0: [1], T.Q2_K: [81, 83], T.Q3_K: [109],
          T.Q4_K: [1, 3], T.Q5_K: [1, 3], T.Q6_K: [209], T.IQ4_NL: [1], T.MXFP4: []}
expected = {}
for kind, places in PLACES.items():
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (1024 if kind == T.MXFP4 else 3072 // elements, size), dtype=np.uint8)
    for place in places:
        # Not infinite and a number: the exponent is not all ones.
        blocks[:, place] = np.where(blocks[:, place] & 0x7C == 0x7C, blocks[:, place] & 0x83, blocks[:, place])
    if kind == T.MXFP4:
        blocks[:256, 0] = np.arange(256)
        blocks = blocks[:256]
    if places:
        blocks[0, places[0] - 1:places[0] + 1] = [1, 0x80]  # the smallest number below 0
    expected[kind.name] = blocks
    expected[f"{kind.name}/values"] = np.ascontiguousarray(gguf.quants.dequantize(blocks, kind), dtype=np.float32)
save_file(expected, pathlib.Path("gguf") / "blocks.safetensors")
