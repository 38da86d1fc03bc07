"""What every generator and discriminator has in common."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Network(nn.Module):
    """A network whose settings may be left at `auto`."""

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        """The value of the setting `key` that was left at `auto`.

        Args:
            shape: of one sample, [C, H, W] or [D].
            per_sample: the loss forbids samples to meet in the discriminator.

        Raises:
            ValueError: the setting has no automatic value.
        """
        raise ValueError(f"{key} has no automatic value: set one")


class Generator(Network):
    """Noise (N, nz) to samples (N, *shape)."""


class Discriminator(Network):
    """Samples (N, *shape) to logits (N,), or (N, P) where it judges P patches.

    `trunk` makes features, `head` makes the logit of them, so that a trick may look at or change what lies between.
    """

    trunk: nn.Sequential
    head: nn.Module

    def features(self, x: Tensor) -> Tensor:
        """What the head sees: (N, F), or (N, F, H, W) where patches are judged."""
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x)).flatten(1).squeeze(1)


def images_only(shape: list[int], model: str) -> tuple[int, int]:
    """Channels and side of square images.

    Raises:
        ValueError: the samples are numbers, or not square.
    """
    if len(shape) != 3:
        raise ValueError(f"{model} works on images, but the dataset holds points of {shape[0]} numbers: use model=mlp")
    channels, height, width = shape
    if height != width:
        raise ValueError(f"{model} works on square images, got {height}x{width}")
    return channels, height
