"""Networks that grow while they train (Karras, Aila, Laine & Lehtinen 2017)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gantrain.networks.canvas import Canvas, Crop, FirstMaps, Pad
from gantrain.networks.conditioning import Sequential, Staged
from gantrain.networks.layers import StddevLayer, activation
from gantrain.networks.network import Discriminator, Generator, images_only
from gantrain.networks.resampling import DownConv2d, UpConv2d
from gantrain.ranges import WIDTH, within

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)
GAIN = math.sqrt(2)
"""Of layers with a rectifier behind them (He et al. 2015)."""
WIDTH_AT = 64
"""The side of the maps that have `width` channels."""
SMALLEST, LARGEST = 8, 1024
"""Sides of pictures."""


class EqualisedRate(nn.Module):
    """A parametrization: weights times a constant, so that those drawn from N(0, 1) all move at the same speed."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.scale


def equalise(layer: Layer, gain: float = GAIN) -> Layer:
    """The layer with weights from N(0, 1), which it multiplies by gain / √(inputs of a unit), and biases 0.

    What He et al. 2015 put into the initial weights then stays a factor beside them, so that an optimizer whose updates
    do not follow a weight's size, such as Adam, moves all layers alike (section 4.1, equalised learning rate).
    """
    nn.init.normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    parametrize.register_parametrization(layer, "weight", EqualisedRate(gain / math.sqrt(layer.weight[0].numel())))
    return layer


class PixelNorm(nn.Module):
    """x (N, C, …) with a mean square of 1 over the channels of each place (section 4.2).

    Of noise (N, C) it makes points on a sphere.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.float().square().mean(1, keepdim=True) + 1e-8).rsqrt().to(x.dtype)


def doubled(x: Tensor) -> Tensor:
    """Every pixel of x (N, C, H, W) doubled both ways."""
    return F.interpolate(x, scale_factor=2)


def faded(former: Tensor, new: Tensor, fade: Tensor) -> Tensor:
    """From `former`, where fade is 0, to `new`, where it is 1."""
    return former + (new - former) * fade.to(new.dtype)


def _widths(canvas: Canvas, width: int, most: int) -> list[int]:
    """Channels of the maps of each level, from the smallest on."""
    within(WIDTH, width=width, most=most)
    sides = [min(canvas.start) * 2**level for level in range(canvas.doublings + 1)]
    return [max(min(width * WIDTH_AT // side, most), 1) for side in sides]


class ProGANGenerator(Generator):
    """Noise (N, noise_dim) to images (N, C, H, W), whose range has no bounds; levels double the side, from 4x4 on.

    Args:
        shape: [C, H, W], both sides from 8 to 1024; cropped where the shorter one is no power of two.
        width: channels of maps whose shorter side is 64: half as many for each doubling of it.
        most: channels that maps have at most.
        pixel_norm: after every convolution.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(
        self, shape: list[int], noise_dim: int, width: int = 256, most: int = 512, pixel_norm: bool = True
    ) -> None:
        super().__init__()
        channels, size = images_only(shape, "networks=progan")
        self.canvas = Canvas.of(size, SMALLEST, LARGEST, "networks=progan")
        self.levels = self.canvas.doublings + 1
        widths = _widths(self.canvas, width, most)

        def after() -> list[nn.Module]:
            return [activation("leaky_relu"), *([PixelNorm()] if pixel_norm else [])]

        first = FirstMaps(noise_dim, widths[0], self.canvas.start)
        equalise(first.linear, GAIN / 4)  # a gain of the reference code, which divides by the side of the smallest map
        conv = equalise(nn.Conv2d(widths[0], widths[0], 3, 1, 1))
        self.stages = nn.ModuleList([Sequential(PixelNorm(), first, *after(), conv, *after())])
        for inside, outside in pairwise(widths):
            up, conv = equalise(UpConv2d(inside, outside)), equalise(nn.Conv2d(outside, outside, 3, 1, 1))
            self.stages.append(Sequential(up, *after(), conv, *after()))
        self.to_picture = nn.ModuleList(equalise(nn.Conv2d(inside, channels, 1), 1.0) for inside in widths)
        self.crop = Crop(size, self.canvas.whole)

    def forward(
        self, noise: Tensor, condition: Tensor | None = None, level: int | None = None, fade: Tensor | None = None
    ) -> Tensor:
        """Images; with a level, those of that level (N, C, side · 2^level, …), not cropped.

        Args:
            level: 0 for the smallest; the last by default.
            fade: (), how far the level has grown out of the one before; as good as 1 by default.
        """
        last = self.levels - 1 if level is None else level
        x = before = self.stages[0](noise)
        for stage in self.stages[1 : last + 1]:
            before, x = x, stage(x)
        picture: Tensor = self.to_picture[last](x)
        if fade is not None:
            picture = faded(doubled(self.to_picture[last - 1](before)), picture, fade)
        return self.crop(picture) if level is None else picture


class Shrinking(Staged):
    """Pictures (N, C, H, W) of any level to maps (N, F, *start); the condition says how far their level has grown.

    Args:
        size: of pictures that are padded to the canvas.
    """

    def __init__(self, channels: int, widths: list[int], canvas: Canvas) -> None:
        super().__init__()
        self.levels = {canvas.after(level): level for level in range(canvas.doublings + 1)}
        self.pad = Pad(canvas.size, canvas.whole)
        self.from_picture = nn.ModuleList(
            Sequential(equalise(nn.Conv2d(channels, outside, 1)), activation("leaky_relu")) for outside in widths
        )
        self.blocks = nn.ModuleList()
        for outside, inside in pairwise(widths):
            conv, down = equalise(nn.Conv2d(inside, inside, 3, 1, 1)), equalise(DownConv2d(inside, outside))
            self.blocks.append(Sequential(conv, activation("leaky_relu"), down, activation("leaky_relu")))

    def forward(self, x: Tensor, condition: Tensor | None = None, maps: list[Tensor] | None = None) -> Tensor:
        height, width = x.shape[2:]
        if (height, width) not in self.levels:
            x = self.pad(x)
        level = self.levels[x.shape[2], x.shape[3]]
        held = self.from_picture[level](x)
        for at in reversed(range(level)):
            held = self.blocks[at](held)
            if condition is not None and at == level - 1:
                former = self.from_picture[at](F.avg_pool2d(x, 2))
                held = faded(former, held, condition.view(-1, 1, 1, 1))
            if maps is not None:
                maps.append(held)
        return held


class ProGANDiscriminator(Discriminator):
    """Images (N, C, H, W), of full size or of any level, to logits (N,).

    Args:
        shape: [C, H, W], both sides from 8 to 1024; padded where the shorter one is no power of two.
        width, most: as for the generator.
        group_size: of samples whose spread is shown to the last layers (section 3); null for the whole batch, 0 for
            none. A batch is whole groups.

    Raises:
        ValueError: the samples are no images of such a size, or a group is of one.
    """

    def __init__(self, shape: list[int], width: int = 256, most: int = 512, group_size: int | None = 4) -> None:
        super().__init__()
        channels, size = images_only(shape, "networks=progan")
        canvas = Canvas.of(size, SMALLEST, LARGEST, "networks=progan")
        widths = _widths(canvas, width, most)
        if group_size == 1 or (group_size or 0) < 0:
            raise ValueError(
                f"group_size={group_size} has no spread: use 2 or more, null for the whole batch, 0 for none"
            )
        self.group_size, last = group_size, min(2 * widths[0], most)
        spread = [] if group_size == 0 else [StddevLayer(group_size)]
        self.trunk, self.canvas = (
            Sequential(
                Shrinking(channels, widths, canvas),
                *spread,
                *(equalise(nn.Conv2d(widths[0] + len(spread), widths[0], 3, 1, 1)), activation("leaky_relu")),
                *(nn.Flatten(), equalise(nn.Linear(widths[0] * canvas.places, last)), activation("leaky_relu")),
            ),
            canvas.whole,
        )
        self.head = equalise(nn.Linear(last, 1), 1.0)

    def trunk_inputs(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, ...]:
        """With `fade`, (): how far the level of these pictures has grown out of the one before."""
        return (x, conditions["fade"].expand(len(x))) if "fade" in conditions else (x,)

    def score(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(*self.trunk_inputs(x, **conditions))
        return self.logits(features), features
