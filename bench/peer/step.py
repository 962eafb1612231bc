"""Times PyTorch's training step of the self-distilling network: what autodidact's step is held against.

One step is forward, loss of the recipe `seed`, backward and SGD (momentum 0.9, weight decay 5e-4) on a
batch of random images that is already in memory; no data loading. Images and weights are channels_last,
ReLUs and sums work in place, the optimizer is PyTorch's fused one where it has that: PyTorch at its best.
The mode `ipex` has Intel's extension optimize network and optimizer.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "oracle"))

from seed_network import (  # noqa: E402  (the path above comes first)
    ARCHITECTURES,
    RECIPES,
    NetworkOptions,
    SelfDistillingNetwork,
    loss_terms,
)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=ARCHITECTURES, default="resnet18")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--mode", choices=("eager", "compile", "ipex"), default="eager")
    parser.add_argument("--recipe", choices=RECIPES, default="seed")
    parser.add_argument("--steps", type=int, default=10, help="timed steps after the first")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args()


def optimized_by_ipex(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, precision: str
) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    try:
        import intel_extension_for_pytorch as ipex
    except ImportError as error:
        raise SystemExit(f"step: intel_extension_for_pytorch is not importable: {error}") from error
    return ipex.optimize(network, optimizer=optimizer, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)


def make_step(options: argparse.Namespace) -> Callable[[], float]:
    recipe = RECIPES[options.recipe]
    torch.manual_seed(1)
    network = SelfDistillingNetwork(
        NetworkOptions(
            ARCHITECTURES[options.model],
            width=options.width,
            classes=options.classes,
            branches=recipe.branches,
            adaptation=recipe.adaptation_indices(),
            inplace=options.mode != "compile",
        )
    )
    network = network.to(memory_format=torch.channels_last).train()
    images = torch.randn(options.batch, 3, options.side, options.side)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(options.classes, (options.batch,))
    sgd = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}
    if options.mode == "ipex":
        network, optimizer = optimized_by_ipex(network, torch.optim.SGD(network.parameters(), **sgd), options.precision)
    else:
        try:
            optimizer = torch.optim.SGD(network.parameters(), **sgd, fused=True)
        except (TypeError, RuntimeError):  # versions before 2.4 have no fused SGD on CPUs
            optimizer = torch.optim.SGD(network.parameters(), **sgd)

    def loss() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            return loss_terms(network, network(images), labels, recipe)["total"]

    forward = torch.compile(loss) if options.mode == "compile" else loss

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        total = forward()
        total.backward()
        optimizer.step()
        return float(total.detach())

    return step


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    try:
        step = make_step(options)
    except ValueError as error:
        raise SystemExit(f"step: {error}") from error
    seconds, losses = [], []
    for _ in range(options.steps + 1):
        start = time.perf_counter()
        losses.append(step())
        seconds.append(time.perf_counter() - start)
    first, *rest = seconds
    result = {k: v for k, v in vars(options).items() if k != "json"}
    result |= {
        "median_s": round(statistics.median(rest or [first]), 4),
        "min_s": round(min(rest or [first]), 4),
        "first_step_s": round(first, 4),
        "images_per_s": round(options.batch / statistics.median(rest or [first]), 1),
        # Linux counts ru_maxrss in KiB.
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "loss": [round(losses[0], 4), round(losses[-1], 4)],
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cpu": cpu_name(),
        "allowed_cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
