#!/usr/bin/env python3
"""Checks weights on their way out to PyTorch and in from it.

    python tests/oracle/check_weights.py build/release/autodidact

Out: what `convert --for seed|seed+adaptation` wrote loads with strict=True into seed_network.py's module, and for torchvision, where that
is installed, into its own ResNets; the logits are those of `eval --batch --logits`. In: a torchvision network goes as .pth through
tools/convert_pth.py, `eval` gives its logits and `train --init-from` names what fits. Exit code 1 if anything differs.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from seed_network import ARCHITECTURES, NetworkOptions, SelfDistillingNetwork

try:
    import torchvision
except ImportError:
    torchvision = None

ROOT = Path(__file__).resolve().parents[2]
# As check_onnx.py: f32 sums in another order.
TOLERANCE = 1e-5
SHALLOW_AND_DEEP = ("resnet18", "resnet50", "resnext50_32x4d")


class Check:
    def __init__(self, program, folder):
        self.program, self.folder, self.failures = program, folder, 0

    def run(self, command):
        done = subprocess.run([self.program, *command.split()], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"autodidact {command}: {done.stderr}")
        return done.stdout

    def say(self, what, difference):
        good = difference <= TOLERANCE
        self.failures += not good
        print(f"{what:56} {difference:.1e}{'' if good else '  TOO LARGE'}", flush=True)

    def images(self, channels, side):
        images = torch.randn(3, channels, side, side)
        save_file({"images": images}, self.folder / "b.safetensors")
        return images

    def logits(self, weights, options=""):
        self.run(f"eval --weights {weights} --batch b.safetensors --logits l.safetensors --choose direct {options}")
        return load_file(self.folder / "l.safetensors")


def difference(a, b):
    return ((a - b).abs().max() / max(1, a.abs().max())).item()


def warmed_up(module, channels, side):
    """Running statistics that are not the identity."""
    torch.manual_seed(1)
    module.train()
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(8, channels, side, side) * 1.5 + 0.3)
    return module.eval()


def check_seed(check, model, width, reader):
    adaptation = (0, 1, 2) if reader == "seed+adaptation" else ()
    options = NetworkOptions(ARCHITECTURES[model], width=width, classes=10, adaptation=(1, 2))
    source = warmed_up(SelfDistillingNetwork(options), 3, 32)
    save_file({name: value.contiguous() for name, value in source.state_dict().items()}, check.folder / "s.safetensors")
    check.run(f"convert --weights s.safetensors --model {model} --width {width} --classes 10 --for {reader} --out c.safetensors")
    images = check.images(3, 32)
    module = SelfDistillingNetwork(NetworkOptions(ARCHITECTURES[model], width=width, classes=10, adaptation=adaptation))
    module.load_state_dict(load_file(check.folder / "c.safetensors"), strict=True)
    ours = check.logits("c.safetensors")
    with torch.no_grad():
        theirs = module.eval()(images).logits
    check.say(f"{model} width {width}, --for {reader}, strict", max(difference(theirs[k], ours[f"logits/{k}"]) for k in theirs))


def check_torchvision(check, model):
    side = 64
    source = warmed_up(getattr(torchvision.models, model)(num_classes=20), 3, side)
    torch.save(source.state_dict(), check.folder / "t.pth")
    subprocess.run([sys.executable, str(ROOT / "tools/convert_pth.py"), "t.pth", "t.safetensors"], cwd=check.folder, check=True,
                   stdout=subprocess.DEVNULL)
    images = check.images(3, side)
    options = f"--model {model} --stem imagenet --recipe baseline --classes 20 --side {side}"
    ours = check.logits("t.safetensors", options)
    with torch.no_grad():
        theirs = source(images)
    check.say(f"{model} of torchvision, eval", difference(theirs, ours["logits/4"]))

    check.run(f"convert --weights t.safetensors {options} --for torchvision --out c.safetensors")
    again = getattr(torchvision.models, model)(num_classes=20)
    again.load_state_dict(load_file(check.folder / "c.safetensors"), strict=True)
    with torch.no_grad():
        check.say(f"{model}, --for torchvision, strict", difference(theirs, again.eval()(images)))
    unequal = [name for name, value in source.state_dict().items() if not torch.equal(value, again.state_dict()[name])]
    assert not unequal, unequal

    # Into a network with branches, other classes and the other stem.
    self_distilling = f"--model {model} --stem cifar --epochs 1 --max-steps 1 --batch 4 --no-validation --choose fixed"
    check.run(f"train --data synthetic:8,side=16,classes=4 --out run --overwrite --init-from t.safetensors --json r.json {self_distilling}")
    report = json.loads((check.folder / "r.json").read_text())["init_from"]
    assert [text.split()[0] for text in report["mismatched"]] == ["conv1.weight", "fc.bias", "fc.weight"], report["mismatched"]
    assert not report["unexpected"], report["unexpected"]
    trunk = [name for name in source.state_dict() if not name.startswith("fc.") and not name.endswith("tracked")]
    assert sorted(report["matched"]) == sorted(set(trunk) - {"conv1.weight"})
    print(f"{model} of torchvision, --init-from: {len(report['matched'])} matched, {len(report['missing'])} missing, "
          f"{len(report['mismatched'])} of another shape", flush=True)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        check = Check(str(Path(sys.argv[1]).resolve()), Path(folder))
        for model in SHALLOW_AND_DEEP:
            for reader in ("seed", "seed+adaptation"):
                check_seed(check, model, 16, reader)
        check_seed(check, "resnet18", 64, "seed+adaptation")
        if torchvision is None:
            print("torchvision is not installed: its networks are not checked")
        else:
            for model in SHALLOW_AND_DEEP:
                check_torchvision(check, model)
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
