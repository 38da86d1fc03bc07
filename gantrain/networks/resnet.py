"""Residual networks (Gulrajani et al. 2017; Miyato et al. 2018, appendix B.4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks.canvas import Canvas, Crop, FirstMaps, Pad
from gantrain.networks.conditioning import Conditioned, Sequential, call
from gantrain.networks.layers import Norm, norm2d, spectrally_normalise
from gantrain.networks.network import Discriminator, Generator, images_only
from gantrain.networks.resampling import DownConv2d, UpConv2d
from gantrain.ranges import WIDTH, within

WIDEST = 16
"""How many times `width` the widest layer of a pyramid has."""


def _width_at(width: int, side: int) -> int:
    """Channels where the shorter side is `side`: `width` up to 32, half as many for each doubling beyond."""
    return max(width * 32 // max(side, 32), 16)


def _pyramid_at(width: int, full: int, side: int) -> int:
    """Channels where the shorter side is `side` of `full`: twice as many for each halving, `WIDEST` times at most."""
    return width * min(full // side, WIDEST)


class Block(Conditioned):
    """norm, ReLU, conv, norm, ReLU, conv beside a shortcut; doubles, halves or keeps the resolution.

    `first` leaves out the leading norm and ReLU, for a block that sees the image itself. There are `between` channels
    from one convolution to the other, or as many as go out. `norm` names one, or makes one for so many channels.
    """

    def __init__(
        self,
        inside: int,
        outside: int,
        resample: Literal["up", "down", "keep"],
        norm: Norm | Callable[[int], nn.Module],
        first: bool = False,
        between: int | None = None,
    ) -> None:
        super().__init__()
        self.resample, self.first = resample, first
        between = between or outside
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        make = norm if callable(norm) else partial(norm2d, norm)
        self.norm1 = nn.Identity() if first else make(inside)
        self.norm2 = make(between)
        self.conv1 = UpConv2d(inside, between) if resample == "up" else nn.Conv2d(inside, between, 3, 1, 1)
        self.conv2 = DownConv2d(between, outside) if resample == "down" else nn.Conv2d(between, outside, 3, 1, 1)
        learned = inside != outside or resample != "keep"
        self.shortcut = nn.Conv2d(inside, outside, 1) if learned else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        h = x if self.first else self.relu1(call(self.norm1, x, condition))
        h = self.relu2(call(self.norm2, call(self.conv1, h, condition), condition))
        h = call(self.conv2, h, condition)
        # the 1x1 shortcut at the smaller of both sizes: it equals that at the larger, at a quarter of the work
        if self.resample == "down":
            x = F.avg_pool2d(x, 2)
        shortcut = call(self.shortcut, x, condition)
        return h + (F.interpolate(shortcut, scale_factor=2) if self.resample == "up" else shortcut)


class ResNetGenerator(Generator):
    """Noise (N, noise_dim) to images (N, C, H, W) in [-1, 1], one block per doubling from 4x4, or 4x6 and the like.

    Args:
        shape: [C, H, W], both sides from 16 to 128; cropped where the shorter one is no power of two.
        width: channels up to a side of 32; half as many for each doubling beyond.
        norm: in the blocks.
        pyramid: `width` is that at full size, with twice as many channels at each halving of the side, up to 16 times:
            theirs for sides of 64 and 128, where `width` is 64.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(
        self, shape: list[int], noise_dim: int, width: int = 256, norm: Norm = "batch", pyramid: bool = False
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, size = images_only(shape, "networks=resnet")
        canvas = Canvas.of(size, 16, 128, "networks=resnet")
        side, full = 4, canvas.shorter
        inside = _pyramid_at(width, full, side) if pyramid else width
        layers: list[nn.Module] = [FirstMaps(noise_dim, inside, canvas.start)]
        while side < full:
            side *= 2
            outside = _pyramid_at(width, full, side) if pyramid else _width_at(width, side)
            layers.append(Block(inside, outside, "up", norm))
            inside = outside
        layers += [norm2d(norm, inside), nn.ReLU(), nn.Conv2d(inside, channels, 3, 1, 1), nn.Tanh()]
        layers.append(Crop(size, canvas.whole))
        self.net = Sequential(*layers)
        _initialise(self)


class SumPool(nn.Module):
    """Features (N, C): ReLU, then the sum over all places (Miyato et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x).sum((2, 3))


class ResNetDiscriminator(Discriminator):
    """Images (N, C, H, W) to logits (N,): blocks that halve the shorter side down to 8, then two that keep it.

    A pyramid goes down to 2, but for sides of 128 to 4 and one block that keeps it.

    Args:
        shape: [C, H, W], both sides from 16 to 128; padded where the shorter one is no power of two.
        width: channels up to a side of 32; half as many for each doubling beyond.
        norm: in the blocks.
        spectral_norm: of every layer.
        head_bias: the logit has a bias; not in the reference code of Miyato & Koyama 2018.
        pyramid: the first block has `width` channels and each further one twice as many, up to 16 times: theirs for
            sides of 64 and 128, where `width` is 64.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(
        self,
        shape: list[int],
        width: int = 128,
        norm: Norm = "none",
        spectral_norm: bool = True,
        head_bias: bool = True,
        pyramid: bool = False,
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, size = images_only(shape, "networks=resnet")
        canvas = Canvas.of(size, 16, 128, "networks=resnet")
        blocks = (_pyramid_blocks if pyramid else _even_blocks)(channels, width, canvas.shorter, norm)
        self.trunk, self.canvas = Sequential(Pad(size, canvas.whole), *blocks, SumPool()), canvas.whole
        self.head = nn.Linear(blocks[-1].conv2.out_channels, 1, bias=head_bias)
        _initialise(self)
        if spectral_norm:
            spectrally_normalise(self)


def _even_blocks(channels: int, width: int, side: int, norm: Norm) -> list[Block]:
    """Those of a discriminator of about even width, for pictures of this shorter side."""
    blocks, inside = list[Block](), channels
    while side > 8:
        side, outside = side // 2, _width_at(width, side)
        blocks.append(Block(inside, outside, "down", norm, first=not blocks))
        inside = outside
    return [*blocks, Block(inside, width, "keep", norm), Block(width, width, "keep", norm)]


def _pyramid_blocks(channels: int, width: int, side: int, norm: Norm) -> list[Block]:
    """Those of a discriminator whose width doubles where the side halves."""
    blocks, inside, full = list[Block](), channels, side
    while side > 4 or (side > 2 and inside < WIDEST * width):
        side, outside = side // 2, _pyramid_at(width, full, side)
        blocks.append(Block(inside, outside, "down", norm, first=not blocks, between=inside if blocks else None))
        inside = outside
    return [*blocks, Block(inside, inside, "keep", norm)] if side == 4 else blocks


def _initialise(module: nn.Module) -> None:
    """Xavier uniform; the gain √2 for 3x3 convolutions inside blocks, as in the reference code of Miyato et al."""
    for name, part in module.named_modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            inner = name.endswith(("conv1", "conv2"))
            nn.init.xavier_uniform_(part.weight, gain=2**0.5 if inner else 1.0)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
