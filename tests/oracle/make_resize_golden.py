"""Writes resize.bin.xz: what Pillow makes of small pictures when it resizes them, and what it reads from JPEG files.

Run by hand with the Pillow that is the specification, Debian 12's python3-pil 9.4:

    /usr/bin/python3 make_resize_golden.py

Content, once decompressed: lines of text, then bytes, in the order of the lines.

    pillow 9.4.0
    image C H W             pixels; planes, row by row
    resize I H W            picture I brought to H×W, bilinear
    frame I C S R           picture I as C channels, short side R, the middle S×S, as torchvision's Resize and CenterCrop
    jpeg B C H W            a JPEG file of B bytes, then the C·H·W pixels that Pillow reads from it
    data
"""

from __future__ import annotations

import io
import lzma
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

SIZES = [(1, 1), (7, 5), (16, 16), (20, 33), (64, 31)]
FRAMES = [(3, 8, 9), (1, 12, 12), (3, 16, 18)]


def planes_of(image: Image.Image) -> bytes:
    pixels = np.asarray(image)
    return (pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)).tobytes()


def shape_of(image: Image.Image) -> str:
    return f"{len(image.getbands())} {image.size[1]} {image.size[0]}"


def framed(image: Image.Image, channels: int, size: int, resize: int) -> Image.Image:
    image = image.convert("RGB" if channels == 3 else "L")
    width, height = image.size
    short, long = min(width, height), max(width, height)
    new_long = int(resize * long / short)
    width, height = (resize, new_long) if width <= height else (new_long, resize)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    top, left = int(round((height - size) / 2.0)), int(round((width - size) / 2.0))
    return image.crop((left, top, left + size, top + size))


def main() -> None:
    random = np.random.default_rng(2)

    def noise(*shape: int) -> Image.Image:
        return Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8))

    def soft(height: int, width: int) -> Image.Image:
        y, x = np.mgrid[0:height, 0:width]
        planes = [127 + 120 * np.sin(0.2 * x + c) * np.cos(0.13 * y - c) for c in range(3)]
        return Image.fromarray(np.clip(np.rint(np.stack(planes, -1)), 0, 255).astype(np.uint8))

    images = [noise(16, 16, 3), soft(37, 23), noise(9, 40), soft(17, 61), noise(1, 1, 3), noise(30, 2, 3)]
    lines, content = [f"pillow {PIL.__version__}"], bytearray()
    for image in images:
        lines.append(f"image {shape_of(image)}")
        content += planes_of(image)
    for i, image in enumerate(images):
        for height, width in SIZES:
            lines.append(f"resize {i} {height} {width}")
            content += planes_of(image.resize((width, height), Image.Resampling.BILINEAR))
        for frame in FRAMES:
            lines.append(f"frame {i} " + " ".join(map(str, frame)))
            content += planes_of(framed(image, *frame))
    for image, options in [
        (soft(19, 33), {"quality": 90, "subsampling": 2}),
        (soft(19, 33), {"quality": 80, "subsampling": 1}),
        (soft(16, 17), {"quality": 95, "subsampling": 0, "progressive": True}),
        (noise(13, 10), {"quality": 70}),
        (soft(18, 20).convert("CMYK"), {"quality": 90}),
    ]:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", **options)
        read = Image.open(io.BytesIO(buffer.getvalue()))
        read = read if read.mode == "L" else read.convert("RGB")
        lines.append(f"jpeg {len(buffer.getvalue())} {shape_of(read)}")
        content += buffer.getvalue() + planes_of(read)
    content = ("\n".join([*lines, "data"]) + "\n").encode() + content
    packed = lzma.compress(bytes(content), preset=9 | lzma.PRESET_EXTREME)
    Path(__file__).with_name("resize.bin.xz").write_bytes(packed)
    print(f"{len(lines) - 1} pieces, {len(content)} bytes, {len(packed)} packed")


if __name__ == "__main__":
    main()
