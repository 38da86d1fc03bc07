"""Differentiable augmentation."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain import shares
from gantrain.kinds import Kind
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import RunPlan
from gantrain.turns import Batch


class DiffAugment(Trick):
    """Augments whatever D sees, real and fake alike; the generator's gradient passes through (Zhao et al. 2020).

    Args:
        policy: any of `color` (brightness ±½, saturation 0 to 2, contrast ½ to 3/2), `translation` by up to ⅛ of the
            side with zeros at the border, and `cutout` of a square of half the side, in this order.

    Raises:
        ValueError: the samples are no pictures.
    """

    def __init__(self, policy: list[Literal["color", "translation", "cutout"]] | None = None) -> None:
        super().__init__()
        self.policy = ["color", "translation", "cutout"] if policy is None else policy

    def check(self, plan: RunPlan) -> None:
        needs_pictures("diffaugment", plan)

    def show(self) -> str:
        return f"{self.name}: {', '.join(self.policy)}"

    def augment(self, x: Tensor, batch: Batch) -> Tensor:
        steps = {"color": color, "translation": translate, "cutout": cutout}
        for name in self.policy:
            x = steps[name](x)
        return x


def needs_pictures(name: str, plan: RunPlan) -> None:
    """Raises ValueError where samples are none."""
    kind = Kind.of(plan.shape)
    if kind is not Kind.PICTURES:
        held = "sound" if kind is Kind.SOUND else f"points of {plan.shape[0]} numbers"
        raise ValueError(f"{name} augments pictures, but the dataset holds {held}: leave it out, or try instance_noise")


def color(x: Tensor) -> Tensor:
    """Brightness, saturation and contrast of each image (N, C, H, W) in [-1, 1]."""
    brightness, saturation, contrast = shares.rand(3, len(x), 1, 1, 1, device=x.device, dtype=x.dtype, axis=1)
    x = x + (brightness - 0.5)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (2 * saturation)
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + (x - middle) * (contrast + 0.5)


def translate(x: Tensor, ratio: float = 0.125) -> Tensor:
    """Moves each image by whole pixels, up to `ratio` of its side each way; what comes in is 0."""
    n, _, height, width = x.shape
    for axis, size in ((-2, height), (-1, width)):
        most = int(size * ratio + 0.5)
        shift = shares.randint(0, 2 * most + 1, n, 1, device=x.device)
        index = (shift + torch.arange(size, device=x.device)).view(n, 1, *((size, 1) if axis == -2 else (1, size)))
        border = (0, 0, most, most) if axis == -2 else (most, most, 0, 0)
        x = F.pad(x, border).gather(axis, index.expand_as(x))
    return x


def cutout(x: Tensor, ratio: float = 0.5) -> Tensor:
    """Sets a square of `ratio` of the side to 0, at a random place that may reach over the border."""
    n, _, height, width = x.shape
    inside = []
    for size in (height, width):
        side = int(size * ratio + 0.5)
        middle = shares.randint(0, size + 1 - side % 2, n, 1, device=x.device)
        place = torch.arange(size, device=x.device)
        inside.append((place >= middle - side // 2) & (place < middle - side // 2 + side))
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return x.masked_fill(hole, 0.0)
