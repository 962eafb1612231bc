"""Writes augment.bin.xz: what Pillow makes of a set of small images, by every operation of the
augmentation policies and at every level.

Run by hand with the Pillow that is the specification, Debian 12's python3-pil 9.4:

    /usr/bin/python3 make_augment_golden.py

Content, once decompressed: lines of text, then bytes.

    pillow 9.4.0
    case shearX -5        for each case, in order: the operation and its signed level
    image 3 32 32         for each image, in order: channels, height, width
    data
    for each image: its pixels, then the result of each case; planes, row by row

Levels count as in the policies: 9 is the largest there, and the few fractions and larger ones are what
RandAugment uses. Values outside an operation's range are limited as `value_of` says.
"""

from __future__ import annotations

import lzma
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageOps

FILL = 128
LEVELS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
BEYOND = [2.7, 12.6, 27]  # RandAugment's 3, 14 and 30
SIGNED = ("shearX", "shearY", "translateX", "translateY", "rotate", "color", "contrast", "brightness", "sharpness")
UNSIGNED = ("posterize", "solarize")
PLAIN = ("autocontrast", "equalize", "invert")

RANGES = {
    "shear": np.linspace(0, 0.3, 10),
    "translate": np.linspace(0, 150 / 331, 10),
    "rotate": np.linspace(0, 30, 10),
    "enhance": np.linspace(0.0, 0.9, 10),
    "posterize": np.linspace(8, 4, 10),
    "solarize": np.linspace(256, 0, 10),
}


def value_of(kind: str, level: float) -> float:
    """The value of a level ≥ 0: the table of the policies, the same line between and beyond."""
    table = RANGES[kind]
    if level == int(level) and level <= 9:
        return float(table[int(level)])
    return float(table[0] + level * ((table[-1] - table[0]) / 9))


def transformed(image: Image.Image, matrix: tuple[float, ...], resample: Image.Resampling) -> Image.Image:
    fill = (FILL,) * len(image.getbands()) if image.mode != "L" else FILL
    return image.transform(image.size, Image.Transform.AFFINE, matrix, resample, fillcolor=fill)


def enhanced(enhancer: Callable, image: Image.Image, value: float) -> Image.Image:
    return enhancer(image).enhance(max(1 + value, 0))


def apply(operation: str, level: float, image: Image.Image) -> Image.Image:
    size, sign = abs(level), math.copysign(1, level)
    bicubic, nearest = Image.Resampling.BICUBIC, Image.Resampling.NEAREST
    if operation == "shearX":
        return transformed(image, (1, value_of("shear", size) * sign, 0, 0, 1, 0), bicubic)
    if operation == "shearY":
        return transformed(image, (1, 0, 0, value_of("shear", size) * sign, 1, 0), bicubic)
    if operation == "translateX":
        return transformed(image, (1, 0, value_of("translate", size) * image.size[0] * sign, 0, 1, 0), nearest)
    if operation == "translateY":
        return transformed(image, (1, 0, 0, 0, 1, value_of("translate", size) * image.size[1] * sign), nearest)
    if operation == "rotate":
        # Through an alpha channel, as the policies' published code does it.
        turned = image.convert("RGBA").rotate(value_of("rotate", size) * sign)
        ground = Image.new("RGBA", turned.size, (FILL,) * 4)
        return Image.composite(turned, ground, turned).convert(image.mode)
    if operation in ("color", "contrast", "brightness", "sharpness"):
        return enhanced(getattr(ImageEnhance, operation.capitalize()), image, value_of("enhance", size) * sign)
    if operation == "posterize":
        return ImageOps.posterize(image, max(int(np.round(value_of("posterize", size))), 1))
    if operation == "solarize":
        return ImageOps.solarize(image, max(value_of("solarize", size), 0))
    return getattr(ImageOps, operation)(image)


def cases() -> Iterator[tuple[str, float]]:
    for operation in SIGNED:
        for level in LEVELS + BEYOND:
            yield operation, level
            if level:
                yield operation, -level
    for operation in UNSIGNED:
        for level in LEVELS + BEYOND:
            yield operation, level
    for operation in PLAIN:
        yield operation, 0


def images() -> Iterator[Image.Image]:
    """Pictures that tell the ways of rounding apart: soft ramps, edges, noise, few values, one value, tiny sides."""
    random = np.random.default_rng(1)

    def soft(channels: int, height: int, width: int, low: float, high: float, noise: float) -> np.ndarray:
        y, x = np.mgrid[0:height, 0:width]
        planes = []
        for _ in range(channels):
            a, b, c, d = random.uniform(0.05, 0.5, 4)
            wave = np.sin(a * x + b * y + 6 * c) * np.cos(d * y - c * x)
            planes.append(low + (high - low) * (wave + 1) / 2 + random.normal(0, noise, (height, width)))
        return np.clip(np.rint(np.stack(planes, -1)), 0, 255).astype(np.uint8)

    def flat(height: int, width: int) -> np.ndarray:
        picture = np.full((height, width, 3), (40, 200, 90), np.uint8)
        picture[5:20, 8:30] = (255, 0, 17)
        picture[12:29, 2:14] = (0, 0, 0)
        picture[18:, 20:] = (250, 255, 255)
        return picture

    ramp = np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))
    yield Image.fromarray(soft(3, 32, 32, 10, 250, 3))
    yield Image.fromarray(flat(32, 32))
    yield Image.fromarray(soft(1, 28, 28, 0, 255, 5)[..., 0], "L")
    yield Image.fromarray(np.stack([ramp, ramp.T, 255 - ramp], -1))
    yield Image.fromarray(soft(3, 17, 24, 90, 140, 8))  # low contrast, odd sides
    yield Image.fromarray(random.integers(0, 256, (11, 7, 3), dtype=np.uint8))
    yield Image.fromarray(random.integers(0, 256, (3, 40), dtype=np.uint8), "L")
    yield Image.fromarray(random.choice(np.array([3, 250], np.uint8), (9, 9, 3)))
    yield Image.fromarray(np.full((8, 8, 3), 77, np.uint8))
    yield Image.fromarray(random.integers(0, 256, (2, 5, 3), dtype=np.uint8))
    yield Image.fromarray(random.integers(0, 256, (5, 2), dtype=np.uint8), "L")
    yield Image.fromarray(random.integers(0, 256, (1, 1, 3), dtype=np.uint8))


def planes_of(image: Image.Image) -> bytes:
    pixels = np.asarray(image)
    return (pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)).tobytes()


def main() -> None:
    all_cases, all_images = list(cases()), list(images())
    lines = [f"pillow {PIL.__version__}"]
    lines += [f"case {operation} {level!r}" for operation, level in all_cases]
    lines += [f"image {len(i.getbands())} {i.size[1]} {i.size[0]}" for i in all_images]
    content = bytearray(("\n".join([*lines, "data"]) + "\n").encode())
    for image in all_images:
        content += planes_of(image)
        for operation, level in all_cases:
            content += planes_of(apply(operation, level, image))
    packed = lzma.compress(bytes(content), preset=9 | lzma.PRESET_EXTREME)
    Path(__file__).with_name("augment.bin.xz").write_bytes(packed)
    print(f"{len(all_images)} images, {len(all_cases)} cases, {len(content)} bytes, {len(packed)} packed")


if __name__ == "__main__":
    main()
