"""Small pictures in the spellings of PNG and JPEG, for Tests/MoEDataTests."""

import pathlib

import numpy as np
from PIL import Image

out = pathlib.Path("images")
out.mkdir(exist_ok=True)

x, y = np.meshgrid(np.arange(5), np.arange(4))
rgb = Image.fromarray(np.stack([51 * x, 60 * y, 10 * x + y], axis=-1).astype(np.uint8))
rgb.save(out / "rgb.png")
rgb.quantize(20).save(out / "palette.png")
Image.fromarray((x * 13000 + y).astype(np.uint16)).save(out / "deep.png")
Image.fromarray(np.zeros((4, 5, 4), np.uint8), "RGBA").save(out / "clear.png")

x, y = np.meshgrid(np.arange(16), np.arange(8))
smooth = Image.fromarray(np.stack([8 * x + 60, 16 * y + 40, 4 * x + 8 * y + 50], axis=-1).astype(np.uint8))
smooth.save(out / "smooth.jpg", quality=95, subsampling=0)
# What another decoder makes of the same file.
Image.open(out / "smooth.jpg").save(out / "smooth.png")
smooth.convert("L").save(out / "grey.jpg")
smooth.convert("CMYK").save(out / "print.jpg")
