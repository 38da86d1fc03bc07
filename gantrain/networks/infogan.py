"""The networks of InfoGAN for digits (Chen et al. 2016, appendix C.1)."""

from __future__ import annotations

import math

from torch import nn

from gantrain.networks.canvas import Size, in_words
from gantrain.networks.conditioning import Sequential
from gantrain.networks.layers import Norm, initialise_dcgan, norm1d, norm2d
from gantrain.networks.network import Discriminator, Generator, NormByLoss, images_only
from gantrain.ranges import NOT_NEGATIVE, WIDTH, within


def _quarter(size: Size) -> Size:
    height, width = size
    if height % 4 or width % 4:
        raise ValueError(
            f"networks=infogan needs images whose sides go in fours, got {in_words(size)}: set networks=mlp, or "
            "dataset.image_size where the dataset has it"
        )
    return height // 4, width // 4


class InfoGANGenerator(Generator):
    """Noise (N, noise_dim) to images (N, C, H, W) in [-1, 1]: two linear layers, then two doublings from a quarter.

    Args:
        shape: [C, H, W], both sides in fours.
        hidden: width of the first linear layer.
        width: channels at half the size; twice as many at a quarter.
        norm: of every hidden layer.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(
        self, shape: list[int], noise_dim: int, hidden: int = 1024, width: int = 64, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        within(WIDTH, width=width, hidden=hidden)
        channels, size = images_only(shape, "networks=infogan")
        start, bias = _quarter(size), norm == "none"
        inside = 2 * width * math.prod(start)
        self.net = Sequential(
            *(nn.Linear(noise_dim, hidden, bias=bias), norm1d(norm, hidden), nn.ReLU()),
            *(nn.Linear(hidden, inside, bias=bias), norm1d(norm, inside), nn.ReLU()),
            nn.Unflatten(1, (2 * width, *start)),
            *(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=bias), norm2d(norm, width), nn.ReLU()),
            *(nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh()),
        )
        self.apply(initialise_dcgan)


class InfoGANDiscriminator(NormByLoss, Discriminator):
    """Images (N, C, H, W) to logits (N,): two halvings and a linear layer.

    Args:
        shape: [C, H, W], both sides in fours.
        hidden: width of the linear layer.
        width: channels at half the size; twice as many at a quarter.
        norm: of every layer but the first; `auto` is layer norm where a loss forbids samples to meet, else batch norm.
        slope: of leaky ReLU below zero.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(
        self, shape: list[int], hidden: int = 1024, width: int = 64, norm: Norm = "batch", slope: float = 0.01
    ) -> None:
        super().__init__()
        within(WIDTH, width=width, hidden=hidden)
        within(NOT_NEGATIVE, slope=slope)
        channels, size = images_only(shape, "networks=infogan")
        end, bias = _quarter(size), norm == "none"
        self.trunk = Sequential(
            *(nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(slope)),
            *(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=bias), norm2d(norm, 2 * width), nn.LeakyReLU(slope)),
            *(nn.Flatten(), nn.Linear(2 * width * math.prod(end), hidden, bias=bias)),
            *(norm1d(norm, hidden), nn.LeakyReLU(slope)),
        )
        self.head = nn.Linear(hidden, 1)
        self.apply(initialise_dcgan)
