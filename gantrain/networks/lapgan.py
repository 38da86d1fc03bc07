"""Networks of one level of a Laplacian pyramid (Denton, Chintala, Szlam & Fergus 2015)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks.canvas import in_words
from gantrain.networks.conditioning import Sequential
from gantrain.networks.network import Discriminator, Generator, images_only
from gantrain.ranges import WIDTH, within


class DetailGenerator(Generator):
    """Noise (N, 1, H, W), one more plane of colour, and a low-passed picture (N, C, H, W), to what it lacks.

    Args:
        shape: [C, H, W] of what is made.
        width: channels of the two hidden layers, of 7x7; the last is 5x5.

    Raises:
        ValueError: the samples are no images.
    """

    def __init__(self, shape: list[int], width: int = 64) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, _ = images_only(shape, "model=lapgan")
        self.net = Sequential(
            *(nn.Conv2d(channels + 1, width, 7, 1, 3), nn.ReLU()),
            *(nn.Conv2d(width, width, 7, 1, 3), nn.ReLU()),
            nn.Conv2d(width, channels, 5, 1, 2),
        )

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        assert condition is not None, "it adds to a picture"
        return self.net(torch.cat([noise, condition], 1))


class DetailDiscriminator(Discriminator):
    """Pictures (N, C, H, W) to logits (N,): two 5x5 convolutions without padding, the second in strides of two.

    Args:
        shape: [C, H, W], both sides 9 or more.
        width: channels of both layers.
        dropout: probability, of each number behind them.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(self, shape: list[int], width: int = 64, dropout: float = 0.5) -> None:
        super().__init__()
        within(WIDTH, width=width)
        within("[0, 1)", dropout=dropout)
        channels, size = images_only(shape, "model=lapgan")
        if min(size) < 9:
            raise ValueError(f"this network works on pictures of 9 pixels or more, got {in_words(size)}")
        places = [(side - 9) // 2 + 1 for side in size]
        self.trunk = Sequential(
            *(nn.Conv2d(channels, width, 5), nn.ReLU()),
            *(nn.Conv2d(width, width, 5, 2), nn.ReLU()),
            *(nn.Flatten(), *([nn.Dropout(dropout)] if dropout else [])),
        )
        self.head = nn.Linear(width * places[0] * places[1], 1)


def low_pass(x: Tensor) -> Tensor:
    """Pictures (N, C, 2H, 2W) without what only they show at their size: u(d(x)), expanded from a half of it."""
    return expanded(halved(x))


def halved(x: Tensor) -> Tensor:
    """d(x): means over 2x2 pixels."""
    return F.avg_pool2d(x, 2)


def expanded(x: Tensor) -> Tensor:
    """u(x): twice the size, bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
