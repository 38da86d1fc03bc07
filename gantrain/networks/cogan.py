"""The networks of Liu & Tuzel 2016 for digits."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from gantrain.networks.conditioning import Sequential
from gantrain.networks.network import Discriminator, Generator, images_only
from gantrain.ranges import WIDTH, within

SIDE = 28


def _check(shape: list[int]) -> int:
    """The channels of pictures of the one size for which these networks are made."""
    channels, size = images_only(shape, "networks=cogan")
    if size != (SIDE, SIDE):
        raise ValueError(
            f"networks=cogan works on pictures of side {SIDE}, got {size[0]}x{size[1]}: use dataset=mnist_domains, or "
            "networks=dcgan_small"
        )
    return channels


def initialise_cogan(module: nn.Module) -> None:
    """Weights N(0, 2 / fan in) (He et al. 2015), biases 0."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class CoGANGenerator(Generator):
    """Noise (N, noise_dim) to images (N, C, 28, 28) in [-1, 1].

    Transposed convolutions with batch norm and PReLU to maps of 4, 7, 13 and 25 pixels, and one without to 28.

    Args:
        width: channels of the smallest maps, half as many at each doubling of the side.

    Raises:
        ValueError: the samples are no images of that size.
    """

    def __init__(self, shape: list[int], noise_dim: int, width: int = 1024) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels = _check(shape)
        widths = [max(width // 2**k, 1) for k in range(4)]
        layers: list[nn.Module] = [nn.Unflatten(1, (noise_dim, 1, 1)), nn.ConvTranspose2d(noise_dim, widths[0], 4)]
        for inside, outside in pairwise(widths):
            layers += [nn.BatchNorm2d(inside), nn.PReLU(), nn.ConvTranspose2d(inside, outside, 3, 2, 1)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.PReLU(), nn.ConvTranspose2d(widths[-1], channels, 6, 1, 1), nn.Tanh()]
        self.net = Sequential(*layers)
        self.apply(initialise_cogan)


class CoGANDiscriminator(Discriminator):
    """Images (N, C, 28, 28) to logits (N,): a variant of LeNet (LeCun et al. 1998).

    Args:
        width: channels of the first convolution, two and a half times as many in the second, 25 times as many units.
        dropout: of the units.

    Raises:
        ValueError: the samples are no images of that size.
    """

    def __init__(self, shape: list[int], width: int = 20, dropout: float = 0.5) -> None:
        super().__init__()
        within(WIDTH, width=width)
        within("[0, 1)", dropout=dropout)
        channels, second, units = _check(shape), 5 * width // 2, 25 * width
        self.trunk = Sequential(
            nn.Conv2d(channels, width, 5),
            nn.MaxPool2d(2),
            nn.Conv2d(width, second, 5),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(second * 16, units),
            nn.PReLU(),
            nn.Dropout(dropout),
        )
        self.head = nn.Linear(units, 1)
        self.apply(initialise_cogan)
