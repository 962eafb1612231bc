"""The self-distilling network and its loss in PyTorch: what autodidact's own engine is measured against.

Source      "Be Your Own Teacher" (ICCV 2019, arXiv:1905.08094); the loss of `scan` is that of NeurIPS 2019.
Names       of modules and parameters are those of the published state dict: conv1, bn1, layerL.B.convI,
            layerL.B.bnI, layerL.B.downsample.0/.1, attentionK.0.op.J, attentionK.1, scalaK.I.op.J, fcK,
            adaptation_layers.I. Modules without parameters (relu, add, gate, pool) have names too, so that
            a hook can read every value of the network.
Exits       1 = shallowest … 4 = deepest, which is the teacher of the other three.

Run as a program, it checks the number of parameters of all nine networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EXITS = (1, 2, 3, 4)
STUDENTS = (1, 2, 3)
TEACHER = 4


class Add(nn.Module):
    """The sum at the end of a residual block, as a module so that it has a name."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        return x.add_(shortcut) if self.inplace else x + shortcut


class Multiply(nn.Module):
    """Stage output times attention, as a module so that it has a name."""

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        return x * gate


def conv3x3(c_in: int, c_out: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 3, stride, dilation, dilation, groups, bias=False)


def conv1x1(c_in: int, c_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 1, stride, bias=False)


@dataclass(frozen=True)
class BlockShape:
    """What a residual block is built from; `planes` already follows the network's width."""

    c_in: int
    planes: int
    stride: int
    groups: int
    width_per_group: int
    dilation: int


class BasicBlock(nn.Module):
    """conv 3x3 · BN · ReLU · conv 3x3 · BN, plus the shortcut, then ReLU."""

    expansion = 1

    def __init__(self, shape: BlockShape, downsample: nn.Module | None, inplace: bool) -> None:
        super().__init__()
        if shape.groups != 1 or shape.width_per_group != 64 or shape.dilation != 1:
            raise ValueError("BasicBlock has neither groups nor another group width nor dilation")
        self.conv1 = conv3x3(shape.c_in, shape.planes, shape.stride)
        self.bn1 = nn.BatchNorm2d(shape.planes)
        self.relu1 = nn.ReLU(inplace)
        self.conv2 = conv3x3(shape.planes, shape.planes)
        self.bn2 = nn.BatchNorm2d(shape.planes)
        self.downsample = downsample
        self.add = Add(inplace)
        self.relu2 = nn.ReLU(inplace)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(self.add(y, x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """conv 1x1 · conv 3x3 (stride, groups, dilation) · conv 1x1, each with BN, plus the shortcut, then ReLU."""

    expansion = 4

    def __init__(self, shape: BlockShape, downsample: nn.Module | None, inplace: bool) -> None:
        super().__init__()
        width = int(shape.planes * shape.width_per_group / 64) * shape.groups
        if width == 0:
            raise ValueError(
                f"{shape.planes} planes with {shape.width_per_group} channels a group leave no channel"
            )
        c_out = shape.planes * self.expansion
        self.conv1 = conv1x1(shape.c_in, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU(inplace)
        self.conv2 = conv3x3(width, width, shape.stride, shape.groups, shape.dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU(inplace)
        self.conv3 = conv1x1(width, c_out)
        self.bn3 = nn.BatchNorm2d(c_out)
        self.downsample = downsample
        self.add = Add(inplace)
        self.relu3 = nn.ReLU(inplace)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu3(self.add(y, x if self.downsample is None else self.downsample(x)))


class SepConv(nn.Module):
    """Two depthwise-separable convolutions; the first halves the plane, the last sets the channels."""

    def __init__(self, c_in: int, c_out: int, inplace: bool) -> None:
        super().__init__()
        self.op = nn.Sequential(
            conv3x3(c_in, c_in, stride=2, groups=c_in),
            conv1x1(c_in, c_in),
            nn.BatchNorm2d(c_in),
            nn.ReLU(inplace),
            conv3x3(c_in, c_in, groups=c_in),
            conv1x1(c_in, c_out),
            nn.BatchNorm2d(c_out),
            nn.ReLU(inplace),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class ResizeTo(nn.Module):
    """Bilinear up-sampling to the size of a given tensor (×2 wherever sides are even)."""

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


class Attention(nn.Module):
    """y = x · sigmoid(up(ReLU(BN(SepConv(x))))). The ReLU after a ReLU and BN is the original's."""

    def __init__(self, channels: int, inplace: bool) -> None:
        super().__init__()
        self.add_module("0", SepConv(channels, channels, inplace))
        self.add_module("1", nn.BatchNorm2d(channels))
        self.add_module("2", nn.ReLU(inplace))
        self.add_module("3", ResizeTo())
        self.add_module("4", nn.Sigmoid())
        self.gate = Multiply()

    def forward(self, x: Tensor) -> Tensor:
        part = self._modules
        a = part["2"](part["1"](part["0"](x)))
        return self.gate(x, part["4"](part["3"](a, x)))


class Pool(nn.Module):
    """The mean over the plane; "window" is the original's AvgPool(4,4), right only for a 4x4 plane."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        if kind not in ("global", "window"):
            raise ValueError(f"pooling must be global or window, got {kind}")
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        return (x.mean((2, 3)) if self.kind == "global" else F.avg_pool2d(x, 4).flatten(1))


@dataclass(frozen=True)
class Architecture:
    block: type[BasicBlock] | type[Bottleneck]
    depths: tuple[int, int, int, int]
    groups: int = 1
    width_per_group: int = 64


ARCHITECTURES = {
    "resnet18": Architecture(BasicBlock, (2, 2, 2, 2)),
    "resnet34": Architecture(BasicBlock, (3, 4, 6, 3)),
    "resnet50": Architecture(Bottleneck, (3, 4, 6, 3)),
    "resnet101": Architecture(Bottleneck, (3, 4, 23, 3)),
    "resnet152": Architecture(Bottleneck, (3, 8, 36, 3)),
    "wide_resnet50_2": Architecture(Bottleneck, (3, 4, 6, 3), width_per_group=128),
    "wide_resnet101_2": Architecture(Bottleneck, (3, 4, 23, 3), width_per_group=128),
    "resnext50_32x4d": Architecture(Bottleneck, (3, 4, 6, 3), groups=32, width_per_group=4),
    "resnext101_32x8d": Architecture(Bottleneck, (3, 4, 23, 3), groups=32, width_per_group=8),
}


@dataclass(frozen=True)
class NetworkOptions:
    """width: planes of the first stage (64 = the published network). adaptation: indices of the layers to
    create; index 3−k belongs to exit k. branches = False leaves the trunk and fc4 alone (`baseline`)."""

    architecture: Architecture
    width: int = 64
    classes: int = 100
    channels: int = 3
    stem: str = "cifar"
    pooling: str = "global"
    branches: bool = True
    adaptation: tuple[int, ...] = (1, 2)
    dilate: tuple[bool, bool, bool] = (False, False, False)
    zero_init_residual: bool = False
    inplace: bool = False


@dataclass
class Outputs:
    """logits[k] is N × classes, feature[k] is N × 8·width·expansion, for the exits k the network has."""

    logits: dict[int, Tensor] = field(default_factory=dict)
    feature: dict[int, Tensor] = field(default_factory=dict)


class SelfDistillingNetwork(nn.Module):
    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.options = options
        architecture, width = options.architecture, options.width
        expansion = architecture.block.expansion
        self.feature_size = 8 * width * expansion
        self._build_stem()
        self._c_in, self._dilation = width, 1
        for stage in range(4):
            self.add_module(f"layer{stage + 1}", self._stage(stage))
        self.scala4 = nn.Sequential()
        self.scala4.add_module("pool", Pool(options.pooling))
        self.fc4 = nn.Linear(self.feature_size, options.classes)
        if options.branches:
            for k in STUDENTS:
                self._build_branch(k, width * expansion * 2 ** (k - 1))
            self.adaptation_layers = nn.ModuleDict(
                {str(i): nn.Linear(self.feature_size, self.feature_size) for i in options.adaptation}
            )
        self._initialise()

    def _build_stem(self) -> None:
        options = self.options
        if options.stem not in ("cifar", "imagenet"):
            raise ValueError(f"stem must be cifar or imagenet, got {options.stem}")
        small = options.stem == "cifar"
        kernel, stride, padding = (3, 1, 1) if small else (7, 2, 3)
        self.conv1 = nn.Conv2d(options.channels, options.width, kernel, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(options.width)
        self.relu = nn.ReLU(options.inplace)
        self.maxpool = None if small else nn.MaxPool2d(3, 2, 1)

    def _stage(self, index: int) -> nn.Sequential:
        options, architecture = self.options, self.options.architecture
        planes, stride = options.width * 2**index, 1 if index == 0 else 2
        dilation = self._dilation
        if index > 0 and options.dilate[index - 1]:
            self._dilation, stride = self._dilation * stride, 1
        blocks = []
        for b in range(architecture.depths[index]):
            shape = BlockShape(
                self._c_in,
                planes,
                stride if b == 0 else 1,
                architecture.groups,
                architecture.width_per_group,
                dilation if b == 0 else self._dilation,
            )
            c_out = planes * architecture.block.expansion
            downsample = None
            if shape.stride != 1 or shape.c_in != c_out:
                downsample = nn.Sequential(conv1x1(shape.c_in, c_out, shape.stride), nn.BatchNorm2d(c_out))
            blocks.append(architecture.block(shape, downsample, options.inplace))
            self._c_in = c_out
        return nn.Sequential(*blocks)

    def _build_branch(self, k: int, channels: int) -> None:
        options = self.options
        self.add_module(f"attention{k}", Attention(channels, options.inplace))
        scala = nn.Sequential()
        for i in range(TEACHER - k):
            scala.add_module(str(i), SepConv(channels * 2**i, channels * 2 ** (i + 1), options.inplace))
        scala.add_module("pool", Pool(options.pooling))
        self.add_module(f"scala{k}", scala)
        self.add_module(f"fc{k}", nn.Linear(self.feature_size, options.classes))

    def _initialise(self) -> None:
        """Linear layers keep PyTorch's own default, uniform ±1/√fan_in for weight and bias."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif self.options.zero_init_residual and isinstance(module, (BasicBlock, Bottleneck)):
                nn.init.zeros_((module.bn2 if isinstance(module, BasicBlock) else module.bn3).weight)

    def adapt(self, k: int, feature: Tensor) -> Tensor:
        """A_k(f_k) where that layer exists, f_k itself where it does not."""
        layers = getattr(self, "adaptation_layers", {})
        index = str(STUDENTS[-1] - k)
        return layers[index](feature) if index in layers else feature

    def forward(self, images: Tensor) -> Outputs:
        outputs = Outputs()
        x = self.relu(self.bn1(self.conv1(images)))
        x = x if self.maxpool is None else self.maxpool(x)
        for k in EXITS:
            x = self.get_submodule(f"layer{k}")(x)
            if k == TEACHER:
                outputs.feature[k] = self.scala4(x)
            elif self.options.branches:
                attended = self.get_submodule(f"attention{k}")(x)
                outputs.feature[k] = self.get_submodule(f"scala{k}")(attended)
            else:
                continue
            outputs.logits[k] = self.get_submodule(f"fc{k}")(outputs.feature[k])
        return outputs


@dataclass(frozen=True)
class Recipe:
    """L = CE_4 + Σ_{k≤3} [(1−α)·CE_k + α·(T² if t2)·S_k] + λ·Σ_{feature_exits} D_k

    D_k is the Euclidean norm of A_k(f_k) − f_4 over the whole batch ("norm"), or its square ("squares").
    """

    alpha: float
    temperature: float = 3.0
    t2: bool = False
    feature_term: str = "norm"
    lambda_: float = 0.0
    feature_exits: tuple[int, ...] = ()
    adaptation: bool = False
    branches: bool = True

    def adaptation_indices(self) -> tuple[int, ...]:
        return tuple(sorted(STUDENTS[-1] - k for k in self.feature_exits)) if self.adaptation else ()


RECIPES = {
    "seed": Recipe(0.3, 3.0, False, "norm", 0.03, (1, 2), adaptation=True),
    "iccv2019": Recipe(0.1, 3.0, True, "squares", 1e-6, (1, 2, 3)),
    "scan": Recipe(0.5, 3.0, True, "squares", 5e-7, (1, 2, 3)),
    "none": Recipe(0.0),
    "baseline": Recipe(0.0, branches=False),
}


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """−mean_n Σ_q softmax(teacher/T)_q · log softmax(student/T)_q; no gradient into the teacher."""
    target = F.softmax(teacher.detach() / temperature, 1)
    return -(target * F.log_softmax(student / temperature, 1)).sum(1).mean()


def feature_distance(adapted: Tensor, teacher: Tensor, kind: str) -> Tensor:
    """One number for the whole batch; no gradient into the teacher. Under bf16 autocast summed in f32."""
    difference = adapted - teacher.detach()
    if difference.dtype is torch.bfloat16:
        difference = difference.float()
    return torch.linalg.vector_norm(difference) if kind == "norm" else difference.square().sum()


def loss_terms(
    network: SelfDistillingNetwork, outputs: Outputs, labels: Tensor, recipe: Recipe
) -> dict[str, Tensor]:
    """Every term before α, λ and T² ("ce/k", "soft/k", "feature/k") and the "total" with them."""
    z, f = outputs.logits, outputs.feature
    terms = {f"ce/{k}": F.cross_entropy(z[k], labels) for k in z}
    total = terms[f"ce/{TEACHER}"]
    soft_weight = recipe.alpha * (recipe.temperature**2 if recipe.t2 else 1.0)
    for k in (k for k in reversed(STUDENTS) if k in z):
        total = total + (1 - recipe.alpha) * terms[f"ce/{k}"]
        if recipe.alpha != 0:
            terms[f"soft/{k}"] = soft_cross_entropy(z[k], z[TEACHER], recipe.temperature)
            total = total + soft_weight * terms[f"soft/{k}"]
    for k in sorted(recipe.feature_exits, reverse=True):
        distance = feature_distance(network.adapt(k, f[k]), f[TEACHER], recipe.feature_term)
        terms[f"feature/{k}"] = distance
        total = total + recipe.lambda_ * distance
    terms["total"] = total
    return terms


def count_parameters(options: NetworkOptions) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in SelfDistillingNetwork(options).parameters())


# Parameters at 100 classes: trunk with fc4, with heads and attention, with all three adaptation layers,
# with the two that the recipe `seed` uses. None where no figure was published.
PUBLISHED_COUNTS: dict[str, Sequence[int | None]] = {
    "resnet18": (11_220_132, 12_283_344, 13_071_312, 12_808_656),
    "resnet34": (None, 22_391_504, None, None),
    "resnet50": (23_705_252, 38_426_576, 51_015_632, 46_819_280),
    "resnet152": (58_341_028, 73_062_352, 85_651_408, 81_455_056),
    "wide_resnet50_2": (None, 81_752_784, None, None),
    "wide_resnet101_2": (None, 139_756_240, None, None),
    "resnext50_32x4d": (None, 37_898_448, None, None),
    "resnext101_32x8d": (None, 101_660_880, None, None),
}


def main() -> int:
    wrong = 0
    for name, architecture in ARCHITECTURES.items():
        whole = NetworkOptions(architecture)
        variants = (
            replace(whole, branches=False, adaptation=()),
            replace(whole, adaptation=()),
            replace(whole, adaptation=(0, 1, 2)),
            whole,
        )
        counts = [count_parameters(v) for v in variants]
        expected = PUBLISHED_COUNTS.get(name, (None,) * 4)
        bad = [(c, e) for c, e in zip(counts, expected) if e is not None and c != e]
        wrong += len(bad)
        print(f"{name:18}", *(f"{c:12,}" for c in counts), "WRONG" if bad else "", *bad)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
