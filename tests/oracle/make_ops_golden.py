"""Writes ops.safetensors: PyTorch's f64 result and gradients of every op, on a few awkward shapes each.

Run by hand; README.md beside this file says how. Tensors are named OP/CASE/x, /w, /y, /dy, /dx, /dw …;
the attributes of a case are a JSON object, the metadata entry OP/CASE. Every input is an f32 number.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from seed_network import feature_distance

BN_EPSILON, BN_MOMENTUM = 1e-5, 0.1


class Cases:
    """Collects inputs, outputs and gradients by name; random numbers come from one generator."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.tensors: dict[str, Tensor] = {}
        self.attributes: dict[str, str] = {}

    def normal(self, *shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        values = mean + scale * torch.randn(shape, generator=self.generator)
        return values.float().double()

    def labels(self, n: int, classes: int) -> Tensor:
        return torch.randint(classes, (n,), generator=self.generator)

    def add(
        self,
        name: str,
        op: Callable[..., Tensor],
        inputs: dict[str, Tensor],
        constants: dict[str, Tensor] | None = None,
        **attributes: object,
    ) -> None:
        """Runs op(*inputs, *constants), then backward from a random dy. Constants get no gradient."""
        constants = constants or {}
        leaves = {k: v.clone().requires_grad_() for k, v in inputs.items()}
        y = op(*leaves.values(), *constants.values())
        dy = self.normal(*y.shape)
        gradients = torch.autograd.grad(y, list(leaves.values()), dy)
        found = inputs | constants | {"y": y, "dy": dy}
        found |= {f"d{k}": g for k, g in zip(leaves, gradients)}
        for k, tensor in found.items():
            self.tensors[f"{name}/{k}"] = (tensor.detach() + 0).contiguous()
        self.attributes[name] = json.dumps(attributes, sort_keys=True)


def convolution(cases: Cases) -> None:
    # name: N, C, H, W, K, kernel, stride, padding, dilation, groups
    table = {
        "dense_3x3": (2, 3, 7, 6, 5, 3, 1, 1, 1, 1),
        "dense_3x3_strided": (2, 4, 7, 8, 6, 3, 2, 1, 1, 1),
        "dense_7x7_strided": (2, 3, 11, 9, 4, 7, 2, 3, 1, 1),
        "dense_24_channels": (2, 24, 5, 4, 10, 3, 1, 1, 1, 1),
        "dense_one_pixel": (3, 4, 1, 1, 5, 3, 2, 1, 1, 1),
        "pointwise": (2, 6, 5, 4, 7, 1, 1, 0, 1, 1),
        "pointwise_strided": (2, 6, 5, 4, 8, 1, 2, 0, 1, 1),
        "grouped": (2, 8, 6, 5, 12, 3, 1, 1, 1, 4),
        "grouped_strided": (2, 8, 6, 5, 8, 3, 2, 1, 1, 4),
        "depthwise": (2, 5, 6, 7, 5, 3, 1, 1, 1, 5),
        "depthwise_strided": (2, 20, 6, 7, 20, 3, 2, 1, 1, 20),
        "dilated": (2, 4, 8, 7, 5, 3, 1, 2, 2, 1),
        "dilated_grouped": (2, 8, 9, 9, 8, 3, 1, 4, 4, 2),
    }
    for name, (n, c, h, w, k, r, stride, padding, dilation, groups) in table.items():
        geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        cases.add(
            f"conv2d/{name}",
            lambda x, w: F.conv2d(x, w, None, **geometry),
            {"x": cases.normal(n, c, h, w), "w": cases.normal(k, c // groups, r, r, scale=0.5)},
            **geometry,
        )


def batch_norm(cases: Cases) -> None:
    """running_mean is before, running_mean_after after the step; mean and variance (biased) are the batch's."""
    shapes = {"train": (4, 6, 3, 5), "train_24_channels": (2, 24, 3, 3), "train_two_values": (2, 3, 1, 1)}
    for name, shape in (shapes | {"eval": (2, 5, 3, 4)}).items():
        training, c = name != "eval", shape[1]
        mean = cases.normal(c)
        variance = cases.normal(c).square().float().double() + 0.5
        after = mean.clone(), variance.clone()
        x = cases.normal(*shape, scale=2.0, mean=0.75)
        cases.add(
            f"batch_norm/{name}",
            lambda x, g, b: F.batch_norm(x, *after, g, b, training, BN_MOMENTUM, BN_EPSILON),
            {"x": x, "gamma": cases.normal(c, mean=1.0), "beta": cases.normal(c)},
            training=training,
            epsilon=BN_EPSILON,
            momentum=BN_MOMENTUM,
        )
        extra = {"running_mean": mean, "running_var": variance}
        if training:
            extra |= {"running_mean_after": after[0], "running_var_after": after[1]}
            extra |= {"mean": x.mean((0, 2, 3)), "variance": x.var((0, 2, 3), unbiased=False)}
        cases.tensors |= {f"batch_norm/{name}/{k}": v for k, v in extra.items()}


def fused_batch_norm(cases: Cases) -> None:
    def normalise(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, gamma, beta, True, 0.0, BN_EPSILON)

    for name, shape in {"small": (3, 5, 4, 3), "24_channels": (2, 24, 3, 3)}.items():
        inputs = {"x": cases.normal(*shape), "gamma": cases.normal(shape[1], mean=1.0)}
        inputs["beta"] = cases.normal(shape[1])
        attributes = {"epsilon": BN_EPSILON, "training": True}
        cases.add(f"bn_relu/{name}", lambda *a: F.relu(normalise(*a)), inputs, **attributes)
        inputs = inputs | {"shortcut": cases.normal(*shape)}
        cases.add(
            f"bn_add_relu/{name}",
            lambda x, g, b, s: F.relu(normalise(x, g, b) + s),
            inputs,
            **attributes,
        )


def resampling(cases: Cases) -> None:
    """bilinear, and the attention gate y = x · sigmoid(up(a)). Sizes are height × width."""
    sizes = [((3, 3), (5, 5)), ((4, 4), (7, 7)), ((5, 5), (9, 9)), ((2, 3), (5, 6)), ((2, 2), (4, 4))]
    sizes += [((4, 3), (8, 6)), ((1, 1), (2, 2)), ((1, 1), (1, 1)), ((1, 2), (2, 3)), ((2, 4), (4, 7))]
    for small, large in sizes:
        name = f"{small[0]}x{small[1]}_to_{large[0]}x{large[1]}"

        def up(x: Tensor) -> Tensor:
            return F.interpolate(x, size=large, mode="bilinear", align_corners=False)

        inputs = {"x": cases.normal(2, 3, *small)}
        cases.add(f"bilinear/{name}", up, inputs, height=large[0], width=large[1])
        inputs = {"x": cases.normal(2, 3, *large), "a": cases.normal(2, 3, *small, scale=2.0)}
        cases.add(f"attention_gate/{name}", lambda x, a: x * torch.sigmoid(up(a)), inputs)


def pooling(cases: Cases) -> None:
    for h, w in ((7, 6), (8, 8), (2, 3), (1, 1)):
        x = {"x": cases.normal(2, 3, h, w)}
        geometry = {"kernel": 3, "stride": 2, "padding": 1}
        cases.add(f"max_pool2d/{h}x{w}", lambda x: F.max_pool2d(x, 3, 2, 1), x, **geometry)
    for window, h, w in ((4, 8, 8), (4, 4, 4), (4, 5, 6), (2, 6, 4), (2, 5, 7)):
        x = {"x": cases.normal(2, 3, h, w)}
        name = f"avg_pool2d/window_{window}_on_{h}x{w}"
        cases.add(name, lambda x: F.avg_pool2d(x, window), x, kernel=window, stride=window, padding=0)
    for h, w in ((4, 4), (3, 5), (1, 1)):
        x = {"x": cases.normal(2, 5, h, w)}
        cases.add(f"global_avg_pool/{h}x{w}", lambda x: x.mean((2, 3)), x)


def small_ops(cases: Cases) -> None:
    cases.add("relu/signs", F.relu, {"x": cases.normal(2, 3, 4, 3)})
    cases.add("sigmoid/wide", torch.sigmoid, {"x": cases.normal(2, 3, 4, 3, scale=20.0)})
    for n, c, k in ((4, 6, 5), (3, 17, 10), (1, 8, 1)):
        inputs = {"x": cases.normal(n, c), "w": cases.normal(k, c), "b": cases.normal(k)}
        cases.add(f"linear/{n}x{c}_to_{k}", F.linear, inputs)


def cross_entropies(cases: Cases) -> None:
    """y = mean_n [ weight · CE(x, label1) + (1−weight) · CE(x, label2) ]; smoothing ε puts ε/Q on every
    class and 1−ε on the label. The last case has logits so large that exp() of one overflows."""
    table = {  # N, Q, smoothing, weight of label1, scale of the logits
        "plain": (6, 10, 0.0, 1.0, 2.0),
        "smoothing": (6, 10, 0.1, 1.0, 2.0),
        "two_labels": (5, 7, 0.0, 0.3125, 2.0),
        "two_labels_smoothing": (5, 7, 0.1, 0.3125, 2.0),
        "one_sample_two_classes": (1, 2, 0.0, 1.0, 1.0),
        "large_logits": (4, 5, 0.1, 0.75, 1000.0),
    }
    for name, (n, q, smoothing, weight, scale) in table.items():

        def loss(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
            of = [F.cross_entropy(x, label, label_smoothing=smoothing) for label in (a, b)]
            return weight * of[0] + (1 - weight) * of[1]

        constants = {"label1": cases.labels(n, q), "label2": cases.labels(n, q)}
        x = {"x": cases.normal(n, q, scale=scale)}
        cases.add(f"cross_entropy/{name}", loss, x, constants, smoothing=smoothing, weight=weight)
    for t, n, q, scale in ((1.0, 4, 6, 2.0), (3.0, 5, 10, 4.0), (0.5, 3, 5, 2.0), (3.0, 2, 4, 2000.0)):

        def soft(x: Tensor, teacher: Tensor) -> Tensor:
            return -(F.softmax(teacher / t, 1) * F.log_softmax(x / t, 1)).sum(1).mean()

        teacher = {"teacher": cases.normal(n, q, scale=scale)}
        x = {"x": cases.normal(n, q, scale=scale)}
        cases.add(f"soft_cross_entropy/T{t:g}_scale{scale:g}", soft, x, teacher, temperature=t)


def feature_distances(cases: Cases) -> None:
    """x is the adapted feature, teacher f_4. At distance 0 the gradient of the norm is 0 by definition."""
    for kind in ("norm", "squares"):

        def distance(x: Tensor, teacher: Tensor) -> Tensor:
            return feature_distance(x, teacher, kind)

        x = {"x": cases.normal(4, 12)}
        teacher = {"teacher": cases.normal(4, 12)}
        cases.add(f"feature_distance/{kind}", distance, x, teacher, kind=kind)
        cases.add(f"feature_distance/{kind}_equal", distance, x, {"teacher": x["x"]}, kind=kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    path = parser.parse_args().out / "ops.safetensors"
    cases = Cases(seed=1)
    for family in (
        convolution,
        batch_norm,
        fused_batch_norm,
        resampling,
        pooling,
        small_ops,
        cross_entropies,
        feature_distances,
    ):
        family(cases)
    save_file(cases.tensors, path, cases.attributes | {"torch": torch.__version__})
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {len(cases.attributes)} cases")


if __name__ == "__main__":
    main()
