#!/usr/bin/env python3
"""Weights of PyTorch to and from safetensors, which is all that autodidact reads.

    python3 tools/convert_pth.py resnet18-f37072fd.pth resnet18.safetensors
    python3 tools/convert_pth.py w.safetensors w.pth

The ending says which way. A .pth holds pickled objects: it is read with weights_only=True, so nothing in it is run, and it is never read
by autodidact itself. A state dict inside a checkpoint (under state_dict, model, model_state_dict or net) is found, and the prefixes
"module." and "_orig_mod." of wrapped modules are taken off. Needs torch and safetensors. Exit code: 0, or 2 with one sentence.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
PREFIXES = ("module.", "_orig_mod.")


class Refused(Exception):
    """One sentence for the user."""


def state_dict_in(loaded, path):
    for key in WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not loaded or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise Refused(f"{path} holds no state dict, that is names and tensors")
    names = list(loaded)
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in names)), None):  # in either order
        names = [name.removeprefix(prefix) for name in names]
    return dict(zip(names, loaded.values()))


def read_pth(path):
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error}") from error
    except Exception as error:  # torch raises whatever the pickle makes it raise, and advises to run it all the same
        raise Refused(f"{path} cannot be read as weights: it is damaged, or holds other objects than tensors") from error
    # Safetensors knows neither views nor tensors that share memory.
    return {name: tensor.detach().clone().contiguous() for name, tensor in state_dict_in(loaded, path).items()}


def read_safetensors(path):
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise Refused(f"{path} cannot be read: {error}") from error


def write_aside(path, write):
    """Whoever reads sees the whole old file or the whole new one."""
    try:
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.partial-")
        os.close(handle)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error}") from error
    try:
        write(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(partial, 0o666 & ~mask)
        os.replace(partial, path)
    except (OSError, SafetensorError, RuntimeError) as error:  # safetensors and torch have their own for a full disk
        raise Refused(f"{path} cannot be written: {error}") from error
    finally:
        Path(partial).unlink(missing_ok=True)


def convert(source, target):
    endings = (source.suffix, target.suffix)
    if endings[0] in (".pth", ".pt") and endings[1] == ".safetensors":
        tensors = read_pth(source)
        write_aside(target, lambda path: save_file(tensors, path, metadata={"format": "pt"}))
    elif endings[0] == ".safetensors" and endings[1] in (".pth", ".pt"):
        tensors = read_safetensors(source)
        write_aside(target, lambda path: torch.save(tensors, path))
    else:
        raise Refused(f"one of the two must end in .pth or .pt and the other in .safetensors, got {source} and {target}")
    return len(tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    try:
        count = convert(arguments.source, arguments.target)
    except Refused as refusal:
        print(f"convert_pth: {refusal}", file=sys.stderr)
        return 2
    print(f"{arguments.target}: {count} tensors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
