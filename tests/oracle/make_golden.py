"""Writes the golden values of whole networks: PyTorch in f64, ten steps of the recipe `seed`.

Run by hand; README.md beside this file says how and lists the tensors. The tests need only the files.

A ReLU whose input is as good as zero lets an f32 engine choose the other side, and one flipped mask
moves a gradient by up to 1e-3 of its norm, which ten steps amplify. So the weights are random, but
settled such that no step has a value that near: settle_masks() moves the offsets of the batch norms,
the last γ of each block is small (f32 errors grow less with depth), and the seeds were searched for
(--search). PyTorch in f32 then reproduces the golden values, which the script shows when it runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from seed_network import (
    ARCHITECTURES,
    RECIPES,
    Architecture,
    BasicBlock,
    Bottleneck,
    NetworkOptions,
    SelfDistillingNetwork,
    loss_terms,
)

BATCH, SIDE, STEPS = 8, 32, 10
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 5e-4

NETWORKS = {
    "resnet18": NetworkOptions(ARCHITECTURES["resnet18"], width=4, classes=10),
    # Half the width keeps all files together below 10 MB and a test in plain loops short.
    "resnet50": NetworkOptions(ARCHITECTURES["resnet50"], width=2, classes=10),
    # 4 groups instead of 32: the first stage's 3x3 convolutions have 8 channels in 4 groups.
    "resnext50_32x4d": NetworkOptions(
        Architecture(Bottleneck, (3, 4, 6, 3), groups=4, width_per_group=32), width=4, classes=10
    ),
}

SEEDS = {"resnet18": 12, "resnet50": 26, "resnext50_32x4d": 11}


def round_to_f32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float32).to(torch.float64)


def make_network(options: NetworkOptions, seed: int) -> SelfDistillingNetwork:
    """The usual initial values, but γ and β away from 1 and 0; f64 numbers that f32 holds exactly."""
    torch.manual_seed(seed)
    network = SelfDistillingNetwork(options)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.6, 1.4)
            nn.init.normal_(module.bias, 0.0, 0.2)
    for module in network.modules():
        if isinstance(module, (BasicBlock, Bottleneck)):
            last = module.bn2 if isinstance(module, BasicBlock) else module.bn3
            nn.init.uniform_(last.weight, 0.25, 0.55)
    network.double()
    for parameter in network.parameters():
        parameter.data.copy_(round_to_f32(parameter.data))
    return network


def make_batch(options: NetworkOptions, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(BATCH, options.channels, SIDE, SIDE, generator=generator)
    return images.double(), torch.randint(options.classes, (BATCH,), generator=generator)


def quiet_point(values: Tensor) -> Tensor:
    """The middle of the widest gap in the lower tail of the values (one channel, M of them), between the
    M/64th and the M/16th smallest: few values lie near, yet some lie below."""
    ordered = values.flatten().sort().values
    first, last = max(1, len(ordered) // 64), max(4, len(ordered) // 16)
    tail = ordered[first - 1 : last + 1]
    i = (tail[1:] - tail[:-1]).argmax()
    return (tail[i] + tail[i + 1]) / 2


@torch.no_grad()
def settle_masks(network: SelfDistillingNetwork, images: Tensor) -> None:
    """Moves every β so that its ReLU cuts off a small part of each channel, at a quiet point.

    One forward pass, in which each ReLU first moves the β of the batch norm on its main path and sees
    the moved values; the shortcut's batch norm stays as it is. Running statistics are restored.
    """
    last: list[nn.BatchNorm2d] = []

    def remember(module: nn.BatchNorm2d, *_: object) -> None:
        last[:] = [module]

    def shift(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x = inputs[0].clone()
        for c, beta in enumerate(last[0].bias):
            moved = round_to_f32(beta - quiet_point(x[:, c]))
            x[:, c] += moved - beta
            beta.copy_(moved)
        return (x,)

    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d) and "downsample" not in name:
            hooks.append(module.register_forward_hook(remember))
        elif isinstance(module, nn.ReLU):
            hooks.append(module.register_forward_pre_hook(shift))
    network.train()(images)
    for hook in hooks:
        hook.remove()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()


class ReluMargin:
    """The smallest |x| / rms(x) over the inputs of all ReLUs of a forward pass."""

    def __init__(self, network: nn.Module) -> None:
        self.smallest = float("inf")
        for module in network.modules():
            if isinstance(module, nn.ReLU):
                module.register_forward_pre_hook(self._look)

    def _look(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].detach()
        self.smallest = min(self.smallest, float(x.abs().min() / x.square().mean().sqrt()))

    def take(self) -> float:
        smallest, self.smallest = self.smallest, float("inf")
        return smallest


def running_statistics(network: nn.Module) -> dict[str, Tensor]:
    return {name: b.clone() for name, b in network.named_buffers() if "running" in name}


def copy_of(network: SelfDistillingNetwork, recipe: str, dtype: torch.dtype) -> SelfDistillingNetwork:
    """The same weights under another recipe: without adaptation layers where it has none."""
    options = network.options
    options = NetworkOptions(
        **{**options.__dict__, "adaptation": RECIPES[recipe].adaptation_indices()}
    )
    other = SelfDistillingNetwork(options)
    wanted = other.state_dict().keys()
    other.load_state_dict({k: v for k, v in network.state_dict().items() if k in wanted})
    return other.to(dtype).train()


def loss_and_gradients(
    network: SelfDistillingNetwork, images: Tensor, labels: Tensor, recipe: str
) -> dict[str, Tensor]:
    outputs = network(images)
    terms = loss_terms(network, outputs, labels, RECIPES[recipe])
    network.zero_grad()
    terms["total"].backward()
    out = {f"logits/{k}": z for k, z in outputs.logits.items()}
    out |= {f"feature/{k}": f for k, f in outputs.feature.items()}
    out |= {f"loss/{name}": term for name, term in terms.items()}
    out |= {f"grad/{name}": p.grad for name, p in network.named_parameters()}
    return {name: tensor.detach().clone() for name, tensor in out.items()}


def ten_steps(
    network: SelfDistillingNetwork, images: Tensor, labels: Tensor
) -> tuple[dict[str, Tensor], list[float]]:
    """Trains the network in place. Returns the golden values and each step's smallest ReLU margin."""
    margin, margins = ReluMargin(network), []
    optimizer = torch.optim.SGD(
        network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    golden: dict[str, Tensor] = {}
    totals = []
    for step in range(STEPS):
        result = loss_and_gradients(network, images, labels, "seed")
        optimizer.step()
        margins.append(margin.take())
        totals.append(result["loss/total"])
        if step == 0:
            golden |= result
            golden |= {f"after1/{k}": v for k, v in running_statistics(network).items()}
    after = running_statistics(network) | dict(network.named_parameters())
    golden |= {f"after10/{k}": v.detach().clone() for k, v in after.items()}
    golden["total10"] = torch.stack(totals)
    return golden, margins


def relative_error(ours: Tensor, golden: Tensor) -> float:
    floor = 1e-6 * golden.numel() ** 0.5
    return float((ours.double() - golden).norm() / max(float(golden.norm()), floor))


def worst(ours: dict[str, Tensor], golden: dict[str, Tensor], prefix: str) -> str:
    errors = {k: relative_error(ours[k], v) for k, v in golden.items() if k.startswith(prefix)}
    name = max(errors, key=errors.__getitem__)
    return f"{errors[name]:.1e} {name}"


def metadata(model: str, options: NetworkOptions, recipe: str, seed: int) -> dict[str, str]:
    return {
        "model": model,
        "width": str(options.width),
        "groups": str(options.architecture.groups),
        "width_per_group": str(options.architecture.width_per_group),
        "classes": str(options.classes),
        "channels": str(options.channels),
        "side": str(SIDE),
        "stem": options.stem,
        "recipe": recipe,
        "seed": str(seed),
        "lr": str(LEARNING_RATE),
        "momentum": str(MOMENTUM),
        "weight_decay": str(WEIGHT_DECAY),
        "torch": torch.__version__,
    }


def save(path: Path, tensors: dict[str, Tensor], attributes: dict[str, str]) -> None:
    """Adding 0 turns −0 into 0 and makes each tensor contiguous storage of its own."""
    save_file({k: (v + 0).contiguous() for k, v in tensors.items()}, path, attributes)
    print(f"  {path.name}: {path.stat().st_size / 1e6:.2f} MB, {len(tensors)} tensors")


def settled(model: str, seed: int) -> tuple[SelfDistillingNetwork, Tensor, Tensor]:
    """The network of the golden values, its images and its labels."""
    network = make_network(NETWORKS[model], seed)
    images, labels = make_batch(NETWORKS[model], seed + 1)
    settle_masks(network, images)
    return network, images, labels


def search(model: str, seeds: int) -> None:
    """Prints the seed whose smallest ReLU margin over all ten steps is largest."""
    margins = {}
    for seed in range(1, seeds + 1):
        network, images, labels = settled(model, seed)
        margins[seed] = min(ten_steps(copy_of(network, "seed", torch.float64), images, labels)[1])
    best = max(margins, key=margins.__getitem__)
    print(f"{model}: seed {best} keeps every ReLU input {margins[best]:.1e} of the rms from zero")


def make(model: str, folder: Path, others: tuple[str, ...]) -> None:
    options, seed = NETWORKS[model], SEEDS[model]
    network, images, labels = settled(model, seed)
    weights = {f"weight/{k}": p.detach().float() for k, p in network.named_parameters()}
    golden, margins = ten_steps(copy_of(network, "seed", torch.float64), images, labels)
    single, _ = ten_steps(copy_of(network, "seed", torch.float32), images.float(), labels)
    print(f"{model}, seed {seed}: smallest |ReLU input|/rms by step", *(f"{m:.0e}" for m in margins))
    print("  total", *(f"{t:.3f}" for t in golden["total10"].tolist()))
    print("  PyTorch f32 against f64, worst:", end="")
    print(*(f"  {worst(single, golden, p)}" for p in ("logits", "loss", "grad", "after1/", "after10")))
    batch = {"images": images.float(), "labels": labels}
    save(folder / f"{model}.safetensors", golden | weights | batch, metadata(model, options, "seed", seed))
    for recipe in others:
        result = loss_and_gradients(copy_of(network, recipe, torch.float64), images, labels, recipe)
        result = {k: v for k, v in result.items() if k.startswith(("loss/", "grad/"))}
        path = folder / f"{model}_{recipe}.safetensors"
        save(path, result, metadata(model, options, recipe, seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    parser.add_argument("--model", choices=NETWORKS, help="only this one (default: all)")
    parser.add_argument("--search", type=int, metavar="N", help="write nothing, look for the best of N seeds")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for model in [arguments.model] if arguments.model else NETWORKS:
        if arguments.search:
            search(model, arguments.search)
        else:
            make(model, arguments.out, ("iccv2019", "scan") if model == "resnet18" else ())


if __name__ == "__main__":
    main()
