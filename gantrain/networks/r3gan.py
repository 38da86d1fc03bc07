"""Plain modern residual networks (Huang, Gokaslan, Kuleshov & Tompkin 2024, R3GAN, configuration E)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks.canvas import Canvas, Crop, Pad, Size
from gantrain.networks.conditioning import Sequential
from gantrain.networks.network import Discriminator, Generator, images_only
from gantrain.ranges import COUNT, WIDTH, within

SLOPE = 0.2
"""Of leaky ReLU below zero."""
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""What keeps the variance through a leaky ReLU (He et al. 2015)."""


def _initialise(layer: nn.Module, gain: float = 1.0) -> nn.Module:
    """Weights N(0, gain²/fan in), biases 0; the fan of an embedding is its rows, as of a layer on one-hot labels."""
    assert isinstance(layer.weight, Tensor)
    fan = len(layer.weight) if isinstance(layer, nn.Embedding) else layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=gain / math.sqrt(fan))
    if isinstance(getattr(layer, "bias", None), Tensor):
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class InvertedBottleneck(nn.Module):
    """x + conv(lrelu(conv(lrelu(conv(x))))): 1x1 to more channels, 3x3 in groups, 1x1 back; no norm.

    Fix-up initialisation (Zhang et al. 2019): in a network of L blocks the first two convolutions are scaled by
    L^(-1/4), and the last one begins as 0, so that the block begins as the identity.

    Args:
        channels: in and out; `expansion` times as many between.
        group_size: channels that see each other in the middle convolution.
        depth: L.
    """

    def __init__(self, channels: int, expansion: int, group_size: int, depth: int) -> None:
        super().__init__()
        wide, gain = channels * expansion, GAIN * depth**-0.25
        if wide % group_size:
            raise ValueError(f"group_size={group_size} does not divide {wide}, {expansion} times a width of {channels}")
        groups = wide // group_size
        self.first, self.second = nn.LeakyReLU(SLOPE), nn.LeakyReLU(SLOPE)
        self.widen = _initialise(nn.Conv2d(channels, wide, 1), gain)
        self.mix = _initialise(nn.Conv2d(wide, wide, 3, 1, 1, groups=groups), gain)
        self.narrow = _initialise(nn.Conv2d(wide, channels, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        y = self.mix(self.first(self.widen(x)))
        return x + self.narrow(self.second(y))


class Resample(nn.Module):
    """Maps (N, C, H, W) bilinearly to twice (`up`) or half their size: each axis filtered by [1, 3, 3, 1]/8, 0 beyond.

    That is [1, 2, 1] over pixels that are doubled, or averaged in twos. Computed as one convolution for each channel.
    """

    kernel: Tensor

    def __init__(self, up: bool) -> None:
        super().__init__()
        self.up = up
        axis = torch.tensor([1.0, 3.0, 3.0, 1.0]) / (4 if up else 8)
        self.register_buffer("kernel", torch.outer(axis, axis)[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, -1, -1, -1)
        convolve = F.conv_transpose2d if self.up else F.conv2d
        return convolve(x, kernel, stride=2, padding=1, groups=channels)


class LearntMaps(nn.Module):
    """Vectors (N, D) to maps (N, C, *start): learnt maps, each scaled by a number that is linear in the vector."""

    def __init__(self, inputs: int, channels: int, start: Size) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, *start))
        self.scale = _initialise(nn.Linear(inputs, channels, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale(x)[:, :, None, None] * self.maps


def _change(inside: int, outside: int) -> list[nn.Module]:
    """A 1x1 convolution to another number of channels, where it is another."""
    return [] if inside == outside else [_initialise(nn.Conv2d(inside, outside, 1, bias=False))]


def _widths(width: int, halve_beyond: int, canvas: Canvas) -> list[int]:
    """Channels of maps whose shorter side is 4, 8, 16 and so on."""
    sides = [4 * 2**k for k in range(canvas.doublings + 1)]
    return [max(width * halve_beyond // max(side, halve_beyond), 1) for side in sides]


class R3GANGenerator(Generator):
    """Noise (N, noise_dim), and labels (N,) where it has classes, to images (N, C, H, W), whose pixels nothing bounds.

    Args:
        shape: [C, H, W], both sides from 8 to 256; cropped where the shorter one is no power of two.
        classes: how many labels, whose embeddings, as long as the noise, stand beside it; None for none.
        width: channels up to a side of `halve_beyond`, half as many for each doubling beyond.
        blocks: residual blocks at each size.
        expansion, group_size: of a block: how many times wider it is inside, and channels that see each other there.

    Raises:
        ValueError: the samples are no images of such a size, or groups do not divide a width.
    """

    knows_labels = True

    def __init__(
        self,
        shape: list[int],
        noise_dim: int,
        classes: int | None = None,
        width: int = 768,
        halve_beyond: int = 32,
        blocks: int = 2,
        expansion: int = 2,
        group_size: int = 16,
    ) -> None:
        super().__init__()
        canvas, channels, widths = _planned(shape, width, halve_beyond, blocks, expansion, group_size)
        self.embedding = _initialise(nn.Embedding(classes, noise_dim)) if classes else None
        depth = blocks * len(widths)
        layers: list[nn.Module] = [LearntMaps(noise_dim * (2 if classes else 1), widths[0], canvas.start)]
        for k, outside in enumerate(widths):
            layers += [*_change(widths[k - 1], outside), Resample(up=True)] if k else []
            layers += [InvertedBottleneck(outside, expansion, group_size, depth) for _ in range(blocks)]
        layers += [
            _initialise(nn.Conv2d(widths[-1], channels, 1, bias=False)),
            Crop((shape[1], shape[2]), canvas.whole),
        ]
        self.net = Sequential(*layers)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            noise = torch.cat([noise, self.embedding(condition)], 1)
        return self.net(noise)


class R3GANDiscriminator(Discriminator):
    """Images (N, C, H, W), and labels (N,) where it has classes, to logits (N,).

    A 1x1 convolution, the generator's stages in reverse, a learnt weight for each place of the smallest maps, and a
    linear layer; with labels it makes a vector as long as `width`, whose product with the label's embedding is the
    logit.

    Args:
        shape: [C, H, W], both sides from 8 to 256; padded where the shorter one is no power of two.
        classes, width, halve_beyond, blocks, expansion, group_size: as the generator's.

    Raises:
        ValueError: as the generator's.
    """

    knows_labels = True

    def __init__(
        self,
        shape: list[int],
        classes: int | None = None,
        width: int = 768,
        halve_beyond: int = 32,
        blocks: int = 2,
        expansion: int = 2,
        group_size: int = 16,
    ) -> None:
        super().__init__()
        canvas, channels, widths = _planned(shape, width, halve_beyond, blocks, expansion, group_size)
        size, depth = (shape[1], shape[2]), blocks * len(widths)
        first = _initialise(nn.Conv2d(channels, widths[-1], 1, bias=False))
        layers: list[nn.Module] = [Pad(size, canvas.whole), first]
        for k in reversed(range(len(widths))):
            layers += [InvertedBottleneck(widths[k], expansion, group_size, depth) for _ in range(blocks)]
            layers += [Resample(up=False), *_change(widths[k], widths[k - 1])] if k else []
        places = nn.Conv2d(widths[0], widths[0], canvas.start, groups=widths[0], bias=False)
        self.trunk = Sequential(*layers, _initialise(places), nn.Flatten())
        self.canvas = canvas.whole
        self.head = _initialise(nn.Linear(widths[0], widths[0] if classes else 1, bias=False))
        self.embedding: nn.Module | None = None
        if classes:
            self.embedding = _initialise(nn.Embedding(classes, widths[0]), 1 / math.sqrt(widths[0]))

    def score(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        if self.embedding is None:
            return super().score(x)
        features = self.features(x)
        return (self.head(features) * self.embedding(conditions["label"])).sum(1), features


def _planned(
    shape: list[int], width: int, halve_beyond: int, blocks: int, expansion: int, group_size: int
) -> tuple[Canvas, int, list[int]]:
    """The canvas, the channels of images, and those of maps from the smallest on.

    Raises:
        ValueError: a setting is none, or the samples are no images of such a size.
    """
    within(WIDTH, width=width, group_size=group_size, expansion=expansion)
    within(COUNT, blocks=blocks, halve_beyond=halve_beyond)
    channels, size = images_only(shape, "networks=r3gan")
    canvas = Canvas.of(size, 8, 256, "networks=r3gan")
    return canvas, channels, _widths(width, halve_beyond, canvas)
