"""Residual networks (Gulrajani et al. 2017; Miyato et al. 2018, appendix B.4)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks.canvas import Canvas, Crop, FirstMaps, Pad
from gantrain.networks.conditioning import Conditioned, Sequential, call
from gantrain.networks.layers import Norm, norm2d, spectrally_normalise
from gantrain.networks.network import Discriminator, Generator, images_only
from gantrain.ranges import WIDTH, within


def _width_at(width: int, side: int) -> int:
    """Channels where the shorter side is `side`: `width` up to 32, half as many for each doubling beyond."""
    return max(width * 32 // max(side, 32), 16)


class Block(Conditioned):
    """norm, ReLU, conv, norm, ReLU, conv beside a shortcut; doubles, halves or keeps the resolution.

    `first` leaves out the leading norm and ReLU, for a block that sees the image itself.
    """

    def __init__(
        self,
        inside: int,
        outside: int,
        resample: Literal["up", "down", "keep"],
        norm: Norm,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.resample, self.first = resample, first
        self.norm1 = nn.Identity() if first else norm2d(norm, inside)
        self.norm2 = norm2d(norm, outside)
        self.conv1 = nn.Conv2d(inside, outside, 3, 1, 1)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1)
        learned = inside != outside or resample != "keep"
        self.shortcut = nn.Conv2d(inside, outside, 1) if learned else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        h = x if self.first else F.relu(call(self.norm1, x, condition))
        if self.resample == "up":
            h, x = F.interpolate(h, scale_factor=2), F.interpolate(x, scale_factor=2)
        h = F.relu(call(self.norm2, call(self.conv1, h, condition), condition))
        h = call(self.conv2, h, condition)
        if self.resample == "down":
            # averaging before the 1x1 shortcut equals averaging after it, at a quarter of the work
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        return h + call(self.shortcut, x, condition)


class ResNetGenerator(Generator):
    """Noise (N, noise_dim) to images (N, C, H, W) in [-1, 1], one block per doubling from 4x4, or 4x6 and the like.

    Args:
        shape: [C, H, W], both sides from 16 to 128; cropped where the shorter one is no power of two.
        width: channels up to a side of 32; half as many for each doubling beyond.
        norm: in the blocks.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(self, shape: list[int], noise_dim: int, width: int = 256, norm: Norm = "batch") -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, size = images_only(shape, "networks=resnet")
        canvas = Canvas.of(size, 16, 128, "networks=resnet")
        layers: list[nn.Module] = [FirstMaps(noise_dim, width, canvas.start)]
        side, inside = 4, width
        while side < canvas.shorter:
            side, outside = side * 2, _width_at(width, side * 2)
            layers.append(Block(inside, outside, "up", norm))
            inside = outside
        layers += [norm2d(norm, inside), nn.ReLU(), nn.Conv2d(inside, channels, 3, 1, 1), nn.Tanh()]
        layers.append(Crop(size, canvas.whole))
        self.net = Sequential(*layers)
        _initialise(self)


class SumPool(nn.Module):
    """Features (N, C): ReLU, then the sum over all places (Miyato et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).sum((2, 3))


class ResNetDiscriminator(Discriminator):
    """Images (N, C, H, W) to logits (N,): blocks that halve the shorter side down to 8, then two that keep it.

    Args:
        shape: [C, H, W], both sides from 16 to 128; padded where the shorter one is no power of two.
        width: channels up to a side of 32; half as many for each doubling beyond.
        norm: in the blocks.
        spectral_norm: of every layer.
        head_bias: the logit has a bias; not in the reference code of Miyato & Koyama 2018.

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
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, size = images_only(shape, "networks=resnet")
        canvas = Canvas.of(size, 16, 128, "networks=resnet")
        self.trunk, self.canvas = Sequential(Pad(size, canvas.whole)), canvas.whole
        side, inside = canvas.shorter, channels
        while side > 8:
            side, outside = side // 2, _width_at(width, side)
            self.trunk.append(Block(inside, outside, "down", norm, first=side == canvas.shorter // 2))
            inside = outside
        for _ in range(2):
            self.trunk.append(Block(inside, width, "keep", norm))
            inside = width
        self.trunk.append(SumPool())
        self.head = nn.Linear(inside, 1, bias=head_bias)
        _initialise(self)
        if spectral_norm:
            spectrally_normalise(self)


def _initialise(module: nn.Module) -> None:
    """Xavier uniform; the gain √2 for 3x3 convolutions inside blocks, as in the reference code of Miyato et al."""
    for name, part in module.named_modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            inner = name.endswith(("conv1", "conv2"))
            nn.init.xavier_uniform_(part.weight, gain=2**0.5 if inner else 1.0)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
