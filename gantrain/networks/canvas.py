"""The sizes on which convolutional networks work, for images of any height and width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks.conditioning import Conditioned, call

Size = tuple[int, int]
"""Height and width."""
Sides = tuple[int, ...]
"""Height and width of pictures, or the length of sound."""


@dataclass(frozen=True)
class Canvas:
    """What images of a size are widened to, so that it halves evenly down to a map of a few places.

    The shorter side becomes a power of two, which is 4 at the smallest map; the longer one as many times the same unit
    as it needs: 28x28 stands on 32x32 and begins as 4x4, 64x96 on itself and begins as 4x6.

    Attributes:
        size: of the images.
        start: of the smallest map.
        doublings: from there to the canvas.
    """

    size: Size
    start: Size
    doublings: int

    @classmethod
    def of(cls, size: Size, smallest: int, largest: int, model: str) -> Canvas:
        """The canvas for images of a size.

        Raises:
            ValueError: a side is out of range.
        """
        if not smallest <= min(size) <= max(size) <= largest:
            raise ValueError(
                f"{model} works on images of side {smallest} to {largest}, got {in_words(size)}: set networks=mlp, or "
                "dataset.image_size where the dataset has it"
            )
        doublings = math.ceil(math.log2(min(size))) - 2
        height, width = (max(4, math.ceil(side / 2**doublings)) for side in size)
        return cls(size, (height, width), doublings)

    def after(self, doublings: int) -> Size:
        """The size of a map so many doublings above the smallest."""
        height, width = self.start
        return height * 2**doublings, width * 2**doublings

    @property
    def whole(self) -> Size:
        """The size of the canvas itself."""
        return self.after(self.doublings)

    @property
    def shorter(self) -> int:
        """The shorter side of the whole, a power of two."""
        return min(self.whole)

    @property
    def places(self) -> int:
        """How many places the smallest map has."""
        return math.prod(self.start)


def in_words(size: Size) -> str:
    """One number for a square, else height x width."""
    height, width = size
    return str(height) if height == width else f"{height}x{width}"


class Pad(nn.Module):
    """Widens images or sound of a size to the canvas, evenly on all sides, with black (-1) or another value."""

    def __init__(self, size: Sides, canvas: Sides, value: float = -1.0) -> None:
        super().__init__()
        borders = [_border(*sides) for sides in zip(size, canvas, strict=True)]
        self.widths = tuple(width for border in reversed(borders) for width in border)
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, self.widths, value=self.value)


class Crop(nn.Module):
    """Takes the centre of the canvas: the inverse of `Pad`."""

    def __init__(self, size: Sides, canvas: Sides) -> None:
        super().__init__()
        borders = zip(size, (_border(*sides) for sides in zip(size, canvas, strict=True)), strict=True)
        self.kept: tuple[slice, ...] = tuple(slice(before, before + side) for side, (before, _) in borders)

    def forward(self, x: Tensor) -> Tensor:
        places: tuple[Any, ...] = (..., *self.kept)
        return x[places]


def _border(side: int, whole: int) -> tuple[int, int]:
    before = (whole - side) // 2
    return before, whole - side - before


class FirstMaps(Conditioned):
    """Noise (N, nz) to maps (N, C, *start) by one linear map."""

    def __init__(self, noise_dim: int, channels: int, start: Sides, bias: bool = True) -> None:
        super().__init__()
        self.start = start
        self.linear = nn.Linear(noise_dim, channels * math.prod(start), bias=bias)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        return call(self.linear, noise, condition).unflatten(1, (-1, *self.start))
