"""Convolutions and pooling, as classifiers have them (Li et al. 2017, Triple-GAN's classifier of MNIST)."""

from __future__ import annotations

from torch import nn

from gantrain.networks.canvas import in_words
from gantrain.networks.conditioning import Sequential
from gantrain.networks.layers import Norm, norm2d
from gantrain.networks.network import Discriminator, images_only
from gantrain.ranges import WIDTH, within


class PooledDiscriminator(Discriminator):
    """Images (N, C, H, W) to logits (N,): five convolutions, two maximum poolings, and the mean over what is left.

    Args:
        shape: [C, H, W], both sides 16 or more.
        width: channels of the first layer; 32 in the paper.
        norm: after every convolution.
        dropout: probability, after either pooling.

    Raises:
        ValueError: the samples are no images of such a size.
    """

    def __init__(self, shape: list[int], width: int = 32, norm: Norm = "batch", dropout: float = 0.5) -> None:
        super().__init__()
        within(WIDTH, width=width)
        within("[0, 1)", dropout=dropout)
        channels, size = images_only(shape, "this network")
        if min(size) < 16:
            raise ValueError(f"this network works on images of 16 pixels or more, got {in_words(size)}")

        def convolution(inside: int, outside: int, kernel: int, padding: int) -> list[nn.Module]:
            bias = norm == "none"
            return [nn.Conv2d(inside, outside, kernel, 1, padding, bias=bias), norm2d(norm, outside), nn.ReLU()]

        def pooling() -> list[nn.Module]:
            return [nn.MaxPool2d(2), nn.Dropout(dropout)]

        self.trunk = Sequential(
            *(*convolution(channels, width, 5, 0), *pooling()),
            *convolution(width, 2 * width, 3, 1),
            *(*convolution(2 * width, 2 * width, 3, 0), *pooling()),
            *convolution(2 * width, 4 * width, 3, 1),
            *convolution(4 * width, 4 * width, 3, 1),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        )
        self.head = nn.Linear(4 * width, 1)
