"""Strided convolutions (Radford, Metz & Chintala 2015)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import nn

from gantrain.networks.canvas import Canvas, Crop, FirstMaps, Pad
from gantrain.networks.conditioning import Sequential
from gantrain.networks.layers import Norm, activation, initialise_dcgan, norm2d, spectrally_normalise
from gantrain.networks.network import Discriminator, Generator, NormByLoss, images_only
from gantrain.ranges import WIDTH, within

WIDEST = 16  # how many times `width` the widest layer has: 1024 of 64 as in the paper


def _upsampler(kind: str, inside: int, outside: int, bias: bool) -> nn.Module:
    if kind == "transposed":
        return nn.ConvTranspose2d(inside, outside, 4, 2, 1, bias=bias)
    if kind == "nearest":
        return Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inside, outside, 3, 1, 1, bias=bias))
    return Sequential(nn.Conv2d(inside, outside * 4, 3, 1, 1, bias=bias), nn.PixelShuffle(2))


class DCGANGenerator(Generator):
    """Noise (N, noise_dim) to images (N, C, H, W) in [-1, 1].

    Grows from 4x4, or 4x6 and the like, to the power of two at or above the shorter side in as many stages as that
    needs; other sizes are cropped.

    Args:
        shape: [C, H, W], both sides from 8 to 256.
        width: channels of the last hidden stage; each earlier one has twice as many.
        stem: `conv` a transposed convolution, `linear` a linear map (100 to 4x4x1024 in the paper's figure).
        upsample: `transposed` convolutions, `nearest` plus convolution, or `pixelshuffle`.
        norm: of every hidden stage.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(
        self,
        shape: list[int],
        noise_dim: int,
        width: int = 64,
        stem: Literal["conv", "linear"] = "conv",
        upsample: Literal["transposed", "nearest", "pixelshuffle"] = "transposed",
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, size = images_only(shape, "networks=dcgan")
        canvas = Canvas.of(size, 8, 256, "networks=dcgan")
        widths = [width * min(WIDEST, 2**k) for k in reversed(range(canvas.doublings))]
        bias = norm == "none"
        first: list[nn.Module] = (
            [FirstMaps(noise_dim, widths[0], canvas.start, bias)]
            if stem == "linear"
            else [nn.Unflatten(1, (noise_dim, 1, 1)), nn.ConvTranspose2d(noise_dim, widths[0], canvas.start, bias=bias)]
        )
        layers = [*first, norm2d(norm, widths[0]), nn.ReLU()]
        for inside, outside in pairwise(widths):
            layers += [_upsampler(upsample, inside, outside, bias), norm2d(norm, outside), nn.ReLU()]
        layers += [_upsampler(upsample, widths[-1], channels, True), nn.Tanh(), Crop(size, canvas.whole)]
        self.net = Sequential(*layers)
        self.apply(initialise_dcgan)


class DCGANDiscriminator(NormByLoss, Discriminator):
    """Images (N, C, H, W) to logits (N,), or (N, P) for P patches.

    Args:
        shape: [C, H, W], both sides from 8 to 256; padded where the shorter one is no power of two.
        width: channels of the first stage; each later one has twice as many.
        norm: of every stage but the first; `auto` is layer norm where a loss forbids samples to meet, else batch norm.
        dropout: probability, of each number after every stage.
        discriminator: `whole` judges all of the image; `patch` judges overlapping patches, after three stages.
        spectral_norm: of every layer (Miyato et al. 2018).

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(
        self,
        shape: list[int],
        width: int = 64,
        norm: Norm = "batch",
        dropout: float = 0.0,
        discriminator: Literal["whole", "patch"] = "whole",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        within("[0, 1)", dropout=dropout)
        channels, size = images_only(shape, "networks=dcgan")
        canvas = Canvas.of(size, 8, 256, "networks=dcgan")
        stages = min(canvas.doublings, 3) if discriminator == "patch" else canvas.doublings
        widths = [width * min(WIDEST, 2**k) for k in range(stages)]
        self.trunk, self.canvas = Sequential(Pad(size, canvas.whole)), canvas.whole
        inside = channels
        for stage, outside in enumerate(widths):
            kind: Norm = "none" if stage == 0 else norm
            parts = [nn.Conv2d(inside, outside, 4, 2, 1, bias=kind == "none"), norm2d(kind, outside)]
            parts += [activation("leaky_relu"), nn.Dropout(dropout) if dropout else nn.Identity()]
            self.trunk.append(Sequential(*(part for part in parts if not isinstance(part, nn.Identity))))
            inside = outside
        if discriminator == "whole":
            self.trunk.append(nn.Flatten())
            self.head: nn.Module = nn.Linear(inside * canvas.places, 1)
        else:
            self.head = nn.Conv2d(inside, 1, 3, 1, 1)
        self.apply(initialise_dcgan)
        if spectral_norm:
            spectrally_normalise(self)
