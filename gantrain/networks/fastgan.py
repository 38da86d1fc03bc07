"""Light networks for few pictures (Liu, Zhu, Song & Elgammal 2021, FastGAN)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain import shares
from gantrain.networks.canvas import Canvas, Crop, FirstMaps, Pad, Size
from gantrain.networks.conditioning import Conditioned, Sequential, Staged, call
from gantrain.networks.layers import Norm, activation, initialise_dcgan, norm2d, spectrally_normalise
from gantrain.networks.network import Discriminator, Generator, NormByLoss, images_only
from gantrain.ranges import WIDTH, within

HALF_WIDTHS = {4: 32, 8: 16, 16: 8, 32: 4, 64: 4, 128: 2, 256: 1}
"""Halves of `width` that the generator's maps have for channels, by their shorter side."""


def upsampling_block(inside: int, outside: int, norm: Norm) -> list[nn.Module]:
    """Doubles maps (N, inside, H, W): nearest neighbours, a convolution, a norm and a gated linear unit."""
    return [nn.Upsample(scale_factor=2), *gated_convolution(inside, outside, norm)]


def gated_convolution(inside: int, outside: int, norm: Norm, *between: nn.Module) -> list[nn.Module]:
    """A 3x3 convolution, whatever stands between, a norm and a gated linear unit, which halves the channels."""
    convolution = nn.Conv2d(inside, 2 * outside, 3, 1, 1, bias=norm == "none")
    return [convolution, *between, norm2d(norm, 2 * outside), Gate()]


class Gate(nn.Module):
    """Maps (N, 2C, H, W) to (N, C, H, W): one half times the sigmoid of the other (Dauphin et al. 2017).

    The half is copied first, because on CPUs functions of slices of channels take several times as long, `F.glu` too.
    """

    def forward(self, x: Tensor) -> Tensor:
        values, gates = x.chunk(2, 1)
        return values * gates.clone().sigmoid()


class NoiseInjection(nn.Module):
    """Adds one map of N(0, 1) noise to all channels of each sample's maps, times a learnt number that begins as 0.

    In training it is drawn anew from the default generator. In evaluation it is one map, chosen when the network is
    built, so that a sample follows from its latent alone (StyleGAN's constant noise; the reference code draws anew).
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))
        self.fixed: Tensor
        self.register_buffer("fixed", torch.randn(1, 1, *size))

    def forward(self, x: Tensor) -> Tensor:
        noise = shares.randn(len(x), 1, *x.shape[2:], device=x.device) if self.training else self.fixed
        return x + (self.scale * noise).to(x.dtype)


class ExcitedStages(Staged):
    """Stages one after the other, where an early one's maps gate the channels of a later one's (equation 1).

    The gates are made from small maps, averaged down to `start`, by a convolution as large as that, SiLU, a 1x1
    convolution and a sigmoid: skip-layer excitation.

    Args:
        stages: each makes maps of another size.
        channels: of each stage's maps.
        shrink: by place, how many times larger than `start` each stage's maps are.
        start: height and width of the smallest maps.
        reach: how many times larger, or smaller, the maps are whose channels are gated by given ones.
    """

    def __init__(
        self, stages: Sequence[nn.Module], channels: Sequence[int], shrink: Sequence[int], start: Size, reach: int
    ) -> None:
        super().__init__()
        self.stages = Sequential(*stages)
        self.sources: dict[int, int] = {}
        for source, scale in enumerate(shrink):
            for target in range(source + 1, len(shrink)):
                if reach in (shrink[target] / scale, scale / shrink[target]):
                    self.sources[target] = source
                    gates = _gates(channels[source], channels[target], scale, start)
                    self.add_module(f"excitation_{target}", gates)

    def forward(self, x: Tensor, condition: Tensor | None = None, maps: list[Tensor] | None = None) -> Tensor:
        found: list[Tensor] = []
        for place, stage in enumerate(self.stages):
            x = call(stage, x, condition)
            if place in self.sources:
                x = x * call(self.get_submodule(f"excitation_{place}"), found[self.sources[place]], condition)
            found.append(x)
        if maps is not None:
            maps += found
        return x


def _gates(inside: int, outside: int, scale: int, start: Size) -> Sequential:
    # the window is fixed, because the gradient of adaptive pooling is not the same bits twice on CUDA
    shrink = [nn.AvgPool2d(scale)] if scale > 1 else []
    first, second = nn.Conv2d(inside, outside, start, bias=False), nn.Conv2d(outside, outside, 1, bias=False)
    return Sequential(*shrink, first, nn.SiLU(), second, nn.Sigmoid())


class FastGANGenerator(Generator):
    """Noise (N, noise_dim) to images (N, C, H, W) in [-1, 1], one gated block per doubling from 4x4, or 4x6 and so on.

    Every other block has a second convolution and noise. Maps of 4, 8 and 16 gate those 16 times larger; below a side
    of 64 the smallest gate the largest.

    Args:
        shape: [C, H, W], both sides from 16 to 256; cropped where the shorter one is no power of two.
        width: channels at a side of 128; 16 times as many at 4, half as many at 256.
        norm: in the blocks.
        spectral_norm: of every layer.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(
        self, shape: list[int], noise_dim: int, width: int = 64, norm: Norm = "batch", spectral_norm: bool = True
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, size = images_only(shape, "networks=fastgan")
        canvas = Canvas.of(size, 16, 256, "networks=fastgan")
        scales = [2**k for k in range(canvas.doublings + 1)]
        widths = [max(width * HALF_WIDTHS[4 * scale] // 2, 1) for scale in scales]
        first = FirstMaps(noise_dim, 2 * widths[0], canvas.start, bias=norm == "none")
        stages = [Sequential(first, norm2d(norm, 2 * widths[0]), Gate())]
        for k in range(1, len(scales)):
            layers, at = upsampling_block(widths[k - 1], widths[k], norm), canvas.after(k)
            if k % 2:
                layers.insert(2, NoiseInjection(at))
                layers += gated_convolution(widths[k], widths[k], norm, NoiseInjection(at))
            stages.append(Sequential(*layers))
        grown = ExcitedStages(stages, widths, scales, canvas.start, min(16, scales[-1]))
        last = nn.Conv2d(widths[-1], channels, 3, 1, 1, bias=False)
        self.net = Sequential(grown, last, nn.Tanh(), Crop(size, canvas.whole))
        self.apply(initialise_dcgan)
        if spectral_norm:
            spectrally_normalise(self)


def _down(inside: int, outside: int, kernel: int, norm: Norm) -> list[nn.Module]:
    """A convolution that halves maps (kernel 4) or keeps them (3, 1), a norm and leaky ReLU."""
    stride = 2 if kernel == 4 else 1
    convolution = nn.Conv2d(inside, outside, kernel, stride, kernel // 2 - (stride - 1), bias=norm == "none")
    return [convolution, norm2d(norm, outside), activation("leaky_relu")]


class DownBlock(Conditioned):
    """Halves maps (N, inside, H, W) on two ways, two convolutions and averaging with a 1x1 one, and takes the mean."""

    def __init__(self, inside: int, outside: int, norm: Norm) -> None:
        super().__init__()
        self.main = Sequential(*_down(inside, outside, 4, norm), *_down(outside, outside, 3, norm))
        self.direct = Sequential(nn.AvgPool2d(2), *_down(inside, outside, 1, norm))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return (call(self.main, x, condition) + call(self.direct, x, condition)) / 2


class TwoScales(Staged):
    """Maps of pictures by a large path, and by a small one that sees them halved, side by side as channels."""

    def __init__(self, large: ExcitedStages, last: Sequential, small: Sequential) -> None:
        super().__init__()
        self.large, self.last, self.small = large, last, small

    def forward(self, x: Tensor, condition: Tensor | None = None, maps: list[Tensor] | None = None) -> Tensor:
        small = call(self.small, F.avg_pool2d(x, 2), condition)
        x = torch.cat([call(self.last, self.large(x, condition, maps), condition), small], 1)
        if maps is not None:
            maps.append(x)
        return x


class FastGANDiscriminator(NormByLoss, Discriminator):
    """Images (N, C, H, W) to logits (N, P) of P patches by two paths, one of which sees them halved; or to logits (N,).

    Both paths go down to a shorter side of 8; in the large one maps gate those 8 times smaller, and in pictures below
    64 the largest maps gate the smallest.

    Args:
        shape: [C, H, W], both sides from 16 to 256; padded where the shorter one is no power of two.
        width: channels at a side of 64; twice as many for each halving, half as many for each doubling.
        norm: of every stage but the first; `auto` is layer norm where a loss forbids samples to meet, else batch norm.
        spectral_norm: of every layer.
        discriminator: `patch` judges overlapping patches, by each path alone; `whole` the mean over all places.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(
        self,
        shape: list[int],
        width: int = 64,
        norm: Norm = "batch",
        spectral_norm: bool = True,
        discriminator: Literal["whole", "patch"] = "patch",
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, size = images_only(shape, "networks=fastgan")
        canvas = Canvas.of(size, 16, 256, "networks=fastgan")
        end = 4 * width
        large = _large_path(channels, width, canvas, norm)
        last = Sequential(*_down(8 * width, end, 1, norm))
        paths = TwoScales(large, last, _small_path(channels, width, canvas, norm))
        self.trunk = Sequential(Pad(size, canvas.whole), paths)
        self.canvas = canvas.whole
        if discriminator == "whole":
            self.trunk.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()])
            self.head: nn.Module = nn.Linear(2 * end, 1)
        else:
            self.head = nn.Conv2d(2 * end, 2, 4, groups=2, bias=False)  # a group for each path
        self.apply(initialise_dcgan)
        if spectral_norm:
            spectrally_normalise(self)


def _sides(canvas: Canvas) -> list[int]:
    """The shorter sides of maps, from the canvas' own down to 8."""
    return [canvas.shorter // 2**k for k in range(canvas.doublings)]


def _large_path(channels: int, width: int, canvas: Canvas, norm: Norm) -> ExcitedStages:
    sides = _sides(canvas)
    widths = [max(width * 64 // side, 1) for side in sides]
    stages: list[nn.Module] = [Sequential(*_down(channels, widths[0], 3, "none"))]
    stages += [DownBlock(widths[k - 1], widths[k], norm) for k in range(1, len(widths))]
    return ExcitedStages(stages, widths, [side // 4 for side in sides], canvas.start, min(8, sides[0] // 8))


def _small_path(channels: int, width: int, canvas: Canvas, norm: Norm) -> Sequential:
    sides = _sides(canvas)[2:] or [8]
    widths = [channels, *(max(width * 32 // side, 1) for side in sides)]
    layers: list[nn.Module] = []
    for k in range(len(sides)):
        kernel = 3 if canvas.shorter == 16 else 4  # its half is 8 already
        layers += _down(widths[k], widths[k + 1], kernel, norm if k else "none")
    return Sequential(*layers)
