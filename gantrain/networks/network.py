"""What every generator and discriminator has in common."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gantrain.automatic import Automatic
from gantrain.kinds import Kind
from gantrain.networks.canvas import Pad
from gantrain.networks.conditioning import Conditioned, Sequential
from gantrain.networks.layers import has_spectral_norm
from gantrain.ranges import LENGTH, WIDTH, within
from gantrain.renamed import refuse_former_names


class Generator(Conditioned, Automatic):
    """Noise (N, nz) to samples (N, *shape); a conditional one is called with a condition too.

    One that is written otherwise than as the layers `net` has a forward of its own. `knows_labels`: it has its own way
    of conditioning, in place of the game's, once it is built with `classes`. `standing_statistics`: what it makes of
    truncated noise is normalised by statistics of such noise, and not by those of training.
    """

    net: Sequential
    knows_labels: bool = False
    standing_statistics: bool = False

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.net(noise) if condition is None else self.net(noise, condition)


class Discriminator(nn.Module, Automatic):
    """Samples (N, *shape) to logits (N,), or (N, P) where it judges P patches.

    `trunk` makes features, `head` makes the logit of them, so that a trick may look at or change what lies between.
    `flat`: it looks at images as vectors (N, D). `canvas`: the height and width to which its trunk widens images, or
    the length to which it widens sound; None where it takes them as they are. Whether samples meet in it is a question
    for `gantrain.networks.layers.samples_meet`.
    """

    trunk: nn.Sequential
    head: nn.Module
    flat: bool = False
    canvas: tuple[int, ...] | None = None

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        refuse_former_names(cls, {"judge": "score"})

    def trunk_inputs(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, ...]:
        """What the trunk is called with: pictures, whatever else stands in further channels, and labels it knows."""
        return (x,)

    def blank_conditions(self, n: int) -> dict[str, Tensor]:
        """Conditions of n samples that say nothing, for whoever looks at shapes alone."""
        return {"label": torch.zeros(n, dtype=torch.int64)}

    def maps(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Pictures (N, C, H, W) as the trunk's first layer with weights is given them, and its maps, in order.

        There are none where the trunk makes vectors, or is no `gantrain.networks.Sequential`.
        """
        inputs = self.trunk_inputs(x, **conditions)
        found: list[Tensor] = []
        if isinstance(self.trunk, Sequential):
            self.trunk(*inputs, maps=found)
        if found and isinstance(self.trunk[0], Pad):
            return found[0], found[1:]
        return inputs[0], found

    def features(self, x: Tensor) -> Tensor:
        """What the head sees: (N, F), or (N, F, H, W) where patches are judged."""
        return self.trunk(x)

    def logits(self, features: Tensor) -> Tensor:
        """(N,), or (N, P) where P patches are judged."""
        return self.head(features).flatten(1).squeeze(1)

    def score(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and the features under them; `conditions` by name, one row for each sample."""
        features = self.features(x)
        return self.logits(features), features

    def forward(self, x: Tensor, **conditions: Tensor) -> Tensor:
        return self.score(x, **conditions)[0]

    @property
    def spectrally_normalised(self) -> bool:
        """Whether it has layers with spectral norm, so that layers that join it should have it too."""
        return any(has_spectral_norm(part) for part in self.modules())

    @property
    def feature_count(self) -> int:
        """How many features the head sees.

        Raises:
            ValueError: it judges patches.
        """
        if not isinstance(self.head, nn.Linear):
            raise ValueError("this game needs a discriminator that judges whole samples: set discriminator=whole")
        return self.head.in_features


class WrappedDiscriminator(Discriminator):
    """The trunk and the head of another discriminator, to which layers are added."""

    def __init__(self, inner: Discriminator) -> None:
        super().__init__()
        self.trunk, self.head = inner.trunk, inner.head
        self.flat, self.canvas = inner.flat, inner.canvas


class NormByLoss(Automatic):
    """`norm: auto` is batch norm, or layer norm where the loss forbids samples to meet."""

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "norm":
            return "layer" if per_sample else "batch"
        return super().auto(key, shape, per_sample)


def check_shape(shape: list[int]) -> None:
    """Whether this is the shape of a sample.

    Raises:
        ValueError: it is that of no kind.
    """
    within(WIDTH if Kind.of(shape) is not Kind.SOUND else LENGTH, shape=shape)


def images_only(shape: list[int], model: str) -> tuple[int, tuple[int, int]]:
    """Channels of images, and their height and width.

    Raises:
        ValueError: the samples are none.
    """
    check_shape(shape)
    if Kind.of(shape) is Kind.SOUND:
        raise ValueError(f"{model} works on images, but here is sound: set networks=wavegan")
    if Kind.of(shape) is Kind.NUMBERS:
        raise ValueError(f"{model} works on images, but here are points of {shape[0]} numbers: set networks=mlp")
    channels, height, width = shape
    return channels, (height, width)
