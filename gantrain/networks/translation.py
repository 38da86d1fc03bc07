"""A residual network that makes a picture of a picture (Johnson, Alahi & Fei-Fei 2016; Zhu et al. 2017)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from gantrain.networks.canvas import in_words
from gantrain.networks.conditioning import Sequential
from gantrain.networks.layers import Norm, initialise_dcgan, norm2d
from gantrain.networks.network import images_only
from gantrain.networks.translator import Translator, mirrored
from gantrain.ranges import WIDTH, within

LARGE, MIDDLING = 256, 64
"""Sides from which on there are nine blocks, and two halvings."""
LEAST = 4
"""The least side of the maps that blocks work on."""


class ResidualBlock(nn.Module):
    """x + f(x), f two 3x3 convolutions at mirrored borders with norms and one ReLU between them."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.net = Sequential(*_convolution(channels, channels, 3, norm), *_convolution(channels, channels, 3, norm))
        del self.net[-1]  # no ReLU after the sum's second part

    def forward(self, x: Tensor) -> Tensor:
        return x + self.net(x)


def _convolution(inside: int, outside: int, kernel: int, norm: Norm) -> list[nn.Module]:
    """A convolution at mirrored borders with norm and ReLU."""
    layer = nn.Conv2d(inside, outside, kernel, bias=norm == "none")
    return [nn.ReflectionPad2d(kernel // 2), layer, norm2d(norm, outside), nn.ReLU()]


class ResNetTranslator(Translator):
    """Pictures (N, C', H, W) to pictures (N, C, H, W) in [-1, 1], of any size from a few pixels on.

    A 7x7 convolution, halvings, residual blocks on maps of that size, doublings and a 7x7 convolution again; pictures
    whose sides do not halve evenly are mirrored over their borders.

    Args:
        shape: [C, H, W] of what is made.
        input_shape: of what it is made of; None for the same.
        width: channels at full size, twice as many at each halving of the side.
        blocks: residual ones; 9 for sides from 256 on, 6 below, in the paper's appendix, and with `auto`.
        halvings: 2 in the paper; with `auto` for sides from 64 on, and 1 below.
        norm: of every layer but the last.

    Raises:
        ValueError: the samples are no pictures, or too small for so many halvings.
    """

    def __init__(
        self,
        shape: list[int],
        input_shape: list[int] | None = None,
        width: int = 64,
        blocks: int = 9,
        halvings: int = 2,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        within("[0, 64]", blocks=blocks)
        within("[0, 8]", halvings=halvings)
        channels, size = images_only(shape, "networks=translation")
        self.channels, self.multiple = (input_shape or shape)[0], 2**halvings
        if min(size) < LEAST * self.multiple:
            raise ValueError(
                f"halvings={halvings} leaves too little of pictures of {in_words(size)}: set a smaller "
                "model.generator.halvings, or a larger dataset.image_size"
            )
        bias = norm == "none"
        layers = _convolution(self.channels, width, 7, norm)
        for _ in range(halvings):
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), norm2d(norm, 2 * width), nn.ReLU()]
            width *= 2
        layers += [ResidualBlock(width, norm) for _ in range(blocks)]
        for _ in range(halvings):
            doubling = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1, bias=bias)
            layers += [doubling, norm2d(norm, width // 2), nn.ReLU()]
            width //= 2
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
        self.net = Sequential(*layers)
        self.apply(initialise_dcgan)

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        side = min(shape[1:], default=0)
        if key == "blocks":
            return 9 if side >= LARGE else 6
        if key == "halvings":
            return 2 if side >= MIDDLING else 1
        return super().auto(key, shape, per_sample)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        height, width = x.shape[2:]
        tall, wide = (-(-side // self.multiple) * self.multiple for side in (height, width))
        return self.net(mirrored(mirrored(x, 2, tall), 3, wide))[:, :, :height, :width]
