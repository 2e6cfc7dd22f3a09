"""A file with a tensor of every element type, written by the safetensors library.

Writes interchange.safetensors. Element i of each tensor is i modulo 2 for Booleans and i otherwise; shapes
include one of size 0 and one without dimensions.
"""

import torch
from safetensors.torch import save_file

TYPES = {"bool": torch.bool, "u8": torch.uint8, "i8": torch.int8, "u16": torch.uint16, "i16": torch.int16,
         "u32": torch.uint32, "i32": torch.int32, "u64": torch.uint64, "i64": torch.int64, "f8e4m3": torch.float8_e4m3fn,
         "f8e5m2": torch.float8_e5m2, "f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32,
         "f64": torch.float64}
tensors = {}
for name, dtype in TYPES.items():
    values = torch.arange(6) % 2 if dtype == torch.bool else torch.arange(6)
    tensors[name] = values.to(torch.float32).to(dtype).reshape(2, 3)
    tensors[name + ".empty"] = torch.zeros(0, 2, dtype=torch.float32).to(dtype)
tensors["scalar \u00e9\u4e2d\U0001f600 \"quoted\" \\ \n"] = torch.tensor(2.5)
save_file(tensors, "interchange.safetensors", metadata={"format": "pt"})
