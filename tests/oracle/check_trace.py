"""Compares what `autodidact trace` wrote with PyTorch in f64 on the same weights and batch.

    autodidact trace --weights w.safetensors --batch b.safetensors --out t.safetensors --lr 0.1 …
    python check_trace.py w.safetensors b.safetensors t.safetensors --lr 0.1 …

Prints ‖trace − PyTorch‖₂ / max(‖PyTorch‖₂, 1e-6·√n) of every tensor and the worst of each family. With
--yardstick also PyTorch's own error in f32, which then bounds a tensor's error too where it is larger than the
tolerance: gradients in which nearly everything cancels, or behind a ReLU that took the other side. Exit code: 0 all within --tolerance and nothing missing; 1 otherwise; 2 usage. Options of model, loss and
optimizer are those of `autodidact train`; the model's default to the metadata of the weights file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from seed_network import (
    ARCHITECTURES,
    RECIPES,
    NetworkOptions,
    Recipe,
    SelfDistillingNetwork,
    loss_terms,
)

# f32 with direct convolutions: 2e-7 a sum, grown by up to 60 layers of batch norm and cancellation.
DEFAULT_TOLERANCE = 1e-4


class UsageError(Exception):
    """One sentence for the user; exit code 2."""


@dataclass
class File:
    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def read(path: Path) -> File:
    try:
        with safe_open(path, "pt") as f:
            return File({k: f.get_tensor(k) for k in f.keys()}, f.metadata() or {})
    except Exception as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def numbers(text: str) -> tuple[int, ...]:
    return () if text == "none" else tuple(int(k) for k in text.split(",") if k)


def arguments_of_train(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    on_or_off = argparse.BooleanOptionalAction
    parser.add_argument("weights", type=Path)
    parser.add_argument("batch", type=Path)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--tolerance", type=float, default=DEFAULT_TOLERANCE)
    parser.add_argument("--as-trained", action="store_true", help="compare what is there, miss nothing")
    parser.add_argument(
        "--yardstick", action="store_true", help="allow three times what PyTorch is off by in f32"
    )
    parser.add_argument("--quiet", action="store_true", help="only the worst of each family")
    parser.add_argument("--threads", type=int, default=1)
    model = parser.add_argument_group("model (default: the metadata of the weights file)")
    model.add_argument("--model", choices=ARCHITECTURES)
    for name in ("width", "classes", "channels", "groups", "width-per-group"):
        model.add_argument(f"--{name}", type=int)
    model.add_argument("--dilate", type=numbers)
    model.add_argument("--stem", choices=("cifar", "imagenet"))
    model.add_argument("--compat", choices=("seed",))
    loss = parser.add_argument_group("loss (default: the recipe's)")
    loss.add_argument("--recipe", choices=RECIPES)
    for name in ("alpha", "lambda", "temperature"):
        loss.add_argument(f"--{name}", type=float, dest=name.replace("lambda", "lambda_"))
    loss.add_argument("--t2", action=on_or_off)
    loss.add_argument("--feature-exits", type=numbers)
    loss.add_argument("--feature-term", choices=("norm", "squares"))
    loss.add_argument("--adaptation", action=on_or_off)
    optimizer = parser.add_argument_group("optimizer")
    optimizer.add_argument("--lr", type=float, default=0.1)
    optimizer.add_argument("--momentum", type=float, default=0.9)
    optimizer.add_argument("--weight-decay", type=float, default=5e-4)
    optimizer.add_argument("--nesterov", action="store_true")
    optimizer.add_argument("--no-decay-bn", action="store_true")
    return parser.parse_args(argv)


def recipe_of(options: argparse.Namespace, metadata: dict[str, str]) -> Recipe:
    name = options.recipe or metadata.get("recipe", "seed")
    if name not in RECIPES:
        raise UsageError(f"the metadata names the recipe {name}; known are {', '.join(RECIPES)}")
    fields = ("alpha", "lambda_", "temperature", "t2", "feature_term", "feature_exits", "adaptation")
    given = {k: getattr(options, k) for k in fields if getattr(options, k) is not None}
    return replace(RECIPES[name], **given)


def network_options(
    options: argparse.Namespace, metadata: dict[str, str], recipe: Recipe
) -> NetworkOptions:
    def setting(name: str, default: object = None) -> str:
        value = getattr(options, name)
        value = metadata.get(name, default) if value is None else value
        if value is None:
            raise UsageError(f"the weights file has no metadata '{name}': give --{name}")
        return str(value)

    if setting("model") not in ARCHITECTURES:
        raise UsageError(f"model must be one of {', '.join(ARCHITECTURES)}, got {setting('model')}")
    architecture = ARCHITECTURES[setting("model")]
    # 0 in the metadata: the architecture's own.
    architecture = replace(
        architecture,
        groups=int(setting("groups", 0)) or architecture.groups,
        width_per_group=int(setting("width_per_group", 0)) or architecture.width_per_group,
    )
    dilated = json.loads(metadata.get("dilated_stages", "[]")) if options.dilate is None else options.dilate
    compat = options.compat == "seed" or metadata.get("pooling") == "window"
    return NetworkOptions(
        architecture,
        width=int(setting("width", 64)),
        classes=int(setting("classes")),
        channels=int(setting("channels", 3)),
        stem=setting("stem", "cifar"),
        pooling="window" if compat else "global",
        branches=recipe.branches,
        adaptation=(0, 1, 2) if compat and recipe.branches and options.adaptation is not False else recipe.adaptation_indices(),
        dilate=tuple(stage in dilated for stage in (2, 3, 4)),
    )


def load(network: SelfDistillingNetwork, weights: dict[str, Tensor]) -> None:
    """A golden file calls its parameters weight/PARAM and has no running statistics: they start at 0/1."""
    weights = {k.removeprefix("weight/"): v for k, v in weights.items()}
    missing = [k for k, _ in network.named_parameters() if k not in weights]
    if missing:
        raise UsageError(f"the weights file lacks {', '.join(missing)}")
    wanted = network.state_dict()
    for name in (k for k in wanted if k in weights and wanted[k].shape != weights[k].shape):
        raise UsageError(f"{name} is {[*weights[name].shape]}, the model wants {[*wanted[name].shape]}")
    network.load_state_dict({k: v for k, v in weights.items() if k in wanted}, strict=False)


def make_optimizer(network: nn.Module, options: argparse.Namespace) -> torch.optim.SGD:
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    of_norms = {id(p) for m in norms for p in m.parameters()}
    groups = [
        {"params": [p for p in network.parameters() if id(p) not in of_norms]},
        {"params": [p for p in network.parameters() if id(p) in of_norms]},
    ]
    groups[1]["weight_decay"] = 0.0 if options.no_decay_bn else options.weight_decay
    return torch.optim.SGD(
        groups,
        lr=options.lr,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        nesterov=options.nesterov,
    )


def training_step(
    network: SelfDistillingNetwork, batch: dict[str, Tensor], recipe: Recipe, options: argparse.Namespace
) -> dict[str, Tensor]:
    """Everything the trace may hold, under the trace's names, in the network's type."""
    found: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if name:

            def keep(_: nn.Module, __: object, y: Tensor, key: str = f"value/{name}") -> None:
                found[key] = y

            module.register_forward_hook(keep)
    optimizer = make_optimizer(network, options)
    outputs = network.train()(batch["images"].to(network.fc4.weight.dtype))
    terms = loss_terms(network, outputs, batch["labels"].long(), recipe)
    terms["total"].backward()
    found |= {f"logits/{k}": z for k, z in outputs.logits.items()}
    found |= {f"feature/{k}": f for k, f in outputs.feature.items()}
    found |= {f"loss/{k}": v for k, v in terms.items()}
    found |= {f"grad/{k}": p.grad for k, p in network.named_parameters() if p.grad is not None}
    found = {k: v.detach().clone() for k, v in found.items()}
    optimizer.step()
    after = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    return found | {f"after/{k}": v for k, v in after.items()}


def relative_error(ours: Tensor, golden: Tensor) -> float:
    """NaN counts as infinitely far."""
    floor = 1e-6 * golden.numel() ** 0.5
    error = float((ours.double() - golden).norm() / max(float(golden.norm()), floor))
    return error if error == error else float("inf")


def compare(
    trace: dict[str, Tensor],
    golden: dict[str, Tensor],
    single: dict[str, Tensor],
    options: argparse.Namespace,
) -> list[str]:
    """Prints the comparison and returns the complaints. `single`: PyTorch's own f32, or nothing."""
    complaints, families, yardsticks = [], defaultdict(list), defaultdict(list)
    for name in (n for n in golden if n in trace):
        if trace[name].shape != golden[name].shape:
            complaints.append(f"{name} is {[*trace[name].shape]}, PyTorch's is {[*golden[name].shape]}")
            continue
        error = relative_error(trace[name], golden[name])
        families[name.split("/")[0]].append((error, name))
        allowed = options.tolerance
        if name in single:
            yardstick = relative_error(single[name], golden[name])
            yardsticks[name.split("/")[0]].append((yardstick, name))
            allowed = max(allowed, 3 * yardstick)
        if error > allowed:
            complaints.append(f"{name} is off by {error:.1e} (allowed {allowed:.0e})")
        if not options.quiet:
            print(f"{error:9.1e}  {name}")
    for family, errors in families.items():
        error, name = max(errors)
        print(f"worst of {len(errors):4} {family:8} {error:.1e}  {name}")
        if family in yardsticks:
            error, name = max(yardsticks[family])
            print(f"      PyTorch's f32 there {error:.1e}  {name}")
    if not options.as_trained:
        absent = [n for n in golden if n not in trace and not n.startswith("value/")]
        complaints += [f"{n} is not in the trace" for n in absent]
    skip = ("num_batches_tracked", "images", "labels")
    unknown = [n for n in trace if n not in golden and not n.endswith(skip)]
    if unknown:
        print(f"not compared, PyTorch has no such name: {', '.join(sorted(unknown))}")
    if not families:
        complaints.append("the trace has no tensor that could be compared")
    return complaints


def main(argv: list[str]) -> int:
    options = arguments_of_train(argv)
    torch.set_num_threads(options.threads)
    weights, batch, trace = (read(p) for p in (options.weights, options.batch, options.trace))
    for name in (n for n in ("images", "labels") if n not in batch.tensors):
        raise UsageError(f"{options.batch} has no tensor '{name}'")
    recipe = recipe_of(options, weights.metadata)
    network = SelfDistillingNetwork(network_options(options, weights.metadata, recipe)).double()
    load(network, weights.tensors)
    golden = training_step(network, batch.tensors, recipe, options)
    single: dict[str, Tensor] = {}
    if options.yardstick:
        narrow = SelfDistillingNetwork(network.options)
        load(narrow, weights.tensors)
        single = training_step(narrow, batch.tensors, recipe, options)
    complaints = compare(trace.tensors, golden, single, options)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except UsageError as error:
        print(f"check_trace: {error}", file=sys.stderr)
        raise SystemExit(2) from error
