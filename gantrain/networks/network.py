"""What every generator and discriminator has in common."""

from __future__ import annotations

from torch import Tensor, nn

from gantrain.automatic import Automatic
from gantrain.ranges import WIDTH, within


class Generator(nn.Module, Automatic):
    """Noise (N, nz) to samples (N, *shape)."""


class Discriminator(nn.Module, Automatic):
    """Samples (N, *shape) to logits (N,), or (N, P) where it judges P patches.

    `trunk` makes features, `head` makes the logit of them, so that a trick may look at or change what lies between.
    """

    trunk: nn.Sequential
    head: nn.Module

    def features(self, x: Tensor) -> Tensor:
        """What the head sees: (N, F), or (N, F, H, W) where patches are judged."""
        return self.trunk(x)

    def judge(self, x: Tensor, **told: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and the features under them; `told` is what a conditional one is told about the samples."""
        features = self.features(x)
        return self.head(features).flatten(1).squeeze(1), features

    def forward(self, x: Tensor, **told: Tensor) -> Tensor:
        return self.judge(x, **told)[0]

    @property
    def feature_count(self) -> int:
        """How many features the head sees.

        Raises:
            ValueError: it judges patches.
        """
        if not isinstance(self.head, nn.Linear):
            raise ValueError("this game needs a discriminator that judges whole samples: set discriminator=whole")
        return self.head.in_features


def check_shape(shape: list[int]) -> None:
    """Whether this is the shape of a sample.

    Raises:
        ValueError: it is neither [C, H, W] nor [D].
    """
    within(WIDTH, shape=shape)
    if len(shape) not in (1, 3):
        raise ValueError(f"shape must be [C, H, W] for images or [D] for numbers, got {shape}")


def images_only(shape: list[int], model: str) -> tuple[int, int]:
    """Channels and side of square images.

    Raises:
        ValueError: the samples are numbers, or not square.
    """
    check_shape(shape)
    if len(shape) != 3:
        raise ValueError(f"{model} works on images, but here are points of {shape[0]} numbers: set networks=mlp")
    channels, height, width = shape
    if height != width:
        raise ValueError(f"{model} works on square images, got {height}x{width}")
    return channels, height
