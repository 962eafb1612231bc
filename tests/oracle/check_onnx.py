#!/usr/bin/env python3
"""Checks exported ONNX files with onnxruntime: their logits against those of `autodidact eval`, to 1e-5.

    python tests/oracle/check_onnx.py build/release/autodidact [--only resnet50]

Needs onnxruntime, numpy, safetensors. For every case: fresh weights with random batch norms and running statistics, one batch of
random images, `eval --batch … --logits …` and `export --onnx`, then the largest difference of each exit. Exit code 1 if one is larger.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

# Both programs add the same f32 products in different orders; logits of these networks are of the order of 1.
TOLERANCE = 1e-5
# What answers to different images must differ by at least, so that a comparison says something about the layers before.
VISIBLE = 1e-2
IMAGES = 5

CASES = {
    "resnet18": "--model resnet18 --width 8",
    "resnet34": "--model resnet34 --width 8",
    "resnet50": "--model resnet50 --width 8",
    "resnet101": "--model resnet101 --width 8",
    "resnet152": "--model resnet152 --width 8",
    "wide_resnet50_2": "--model wide_resnet50_2 --width 8",
    "wide_resnet101_2": "--model wide_resnet101_2 --width 8",
    "resnext50_32x4d": "--model resnext50_32x4d --width 16",
    "resnext101_32x8d": "--model resnext101_32x8d --width 8",
    "full width": "--model resnet18 --classes 100",
    "odd side": "--model resnet18 --width 8 --side 37 --channels 1",
    "imagenet stem": "--model resnet50 --width 8 --stem imagenet --side 75",
    "dilated": "--model resnet50 --width 8 --dilate 3,4",
    "baseline": "--model resnet18 --width 8 --recipe baseline",
    "compat": "--model resnet18 --width 8 --compat seed --side 40",
}


def randomise(path, random):
    """Batch norms that have seen something, and weights with which every exit's answer depends on the image, in networks of any depth."""
    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    for name, value in tensors.items():
        if name.endswith("running_mean"):
            tensors[name] = random.normal(0, 0.2, value.shape).astype(np.float32)
        elif name.endswith("running_var"):
            tensors[name] = random.uniform(0.5, 1.5, value.shape).astype(np.float32)
        elif name.endswith(("bn2.weight", "bn3.weight")):  # what residual blocks add: small, or it would grow from block to block
            tensors[name] = random.uniform(0.2, 0.4, value.shape).astype(np.float32)
        elif name.endswith("weight") and value.ndim == 1:
            tensors[name] = random.uniform(0.8, 1.2, value.shape).astype(np.float32)
        elif name.endswith("weight"):
            tensors[name] = random.normal(0, np.sqrt(2 / value[0].size), value.shape).astype(np.float32)
    save_file(tensors, path, metadata=metadata)
    return metadata


def largest_differences(program, options, folder, exit_number):
    def run(command):
        done = subprocess.run([program, *command.split()], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"autodidact {command}: {done.stderr}")

    random = np.random.default_rng(1)
    run(f"init --seed 1 --out w.safetensors {options}")
    metadata = randomise(folder / "w.safetensors", random)
    side, channels = int(metadata["side"]), int(metadata["channels"])
    images = random.normal(0, 1, (IMAGES, channels, side, side)).astype(np.float32)
    save_file({"images": images}, folder / "b.safetensors")
    run("eval --weights w.safetensors --batch b.safetensors --logits l.safetensors --choose direct")
    run(f"export --weights w.safetensors --onnx m.onnx --exit {exit_number}")
    session = onnxruntime.InferenceSession(folder / "m.onnx", providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == metadata | {"format": "autodidact"}, "metadata"
    names = [output.name for output in session.get_outputs()]
    answers = session.run(None, {"images": images})
    wanted = load_file(folder / "l.safetensors")
    expected = [f"logits{exit_number}"] if exit_number else [name.replace("/", "") for name in sorted(wanted)]
    assert names == expected, names
    for name, answer in zip(names, answers):
        assert np.ptp(answer, axis=0).max() > VISIBLE, f"{name} hardly depends on the image: {np.ptp(answer, axis=0).max()}"
    return {name: float(np.abs(answer - wanted[name.replace("logits", "logits/")]).max() / max(1, np.abs(answer).max()))
            for name, answer in zip(names, answers)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--only", help="cases whose name begins so")
    arguments = parser.parse_args()
    program = str(arguments.program.resolve())
    cases = {case: options for case, options in CASES.items() if case.startswith(arguments.only or "")}
    if not cases:
        parser.error(f"no case begins with {arguments.only}; there are {', '.join(CASES)}")
    worst = 0.0
    for case, options in cases.items():
        for exit_number in (0, 2) if case == "resnet18" else (0,):
            with tempfile.TemporaryDirectory() as folder:
                differences = largest_differences(program, options, Path(folder), exit_number)
            worst = max(worst, *differences.values())
            print(f"{case + (f', exit {exit_number}' if exit_number else ''):24}",
                  "  ".join(f"{name} {difference:.1e}" for name, difference in differences.items()), flush=True)
    print(f"largest difference {worst:.1e}, at most {TOLERANCE:.0e}")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
