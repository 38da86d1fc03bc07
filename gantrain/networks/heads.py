"""What is built on the features of a discriminator's trunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from gantrain.networks.conditioning import Sequential
from gantrain.networks.layers import Norm, spectrally_normalise
from gantrain.networks.mlp import hidden_blocks
from gantrain.networks.network import Discriminator, WrappedDiscriminator


class MultiHeadDiscriminator(WrappedDiscriminator):
    """A discriminator with further heads on the features under its own.

    Args:
        network: makes the discriminator within.
        heads: by name, each made for a number of features.
    """

    def __init__(self, network: Callable[[], Discriminator], heads: Mapping[str, Callable[[int], nn.Module]]) -> None:
        inner = network()
        super().__init__(inner)
        features = self.feature_count
        self.heads = nn.ModuleDict({name: make(features) for name, make in heads.items()})
        if inner.spectrally_normalised:
            spectrally_normalise(self.heads)


class PairDiscriminator(WrappedDiscriminator):
    """Samples (N, *shape) and codes (N, nz) to logits: the trunk's features and the code meet in one more layer.

    Args:
        network: makes the discriminator of samples within.
        code_dim: nz.
        width, norm: of the layer where they meet.
        code_hidden: widths of layers that the code passes before.
    """

    def __init__(
        self, network: Callable[[], Discriminator], code_dim: int, width: int, code_hidden: list[int], norm: Norm
    ) -> None:
        inner = network()
        super().__init__(inner)
        features = self.feature_count
        blocks, code_dim = hidden_blocks(code_dim, code_hidden, "leaky_relu", "none", 0.0)
        self.code = Sequential(*blocks)
        (meeting,), width = hidden_blocks(features + code_dim, [width], "leaky_relu", norm, 0.0)
        self.meeting = meeting
        self.head = nn.Linear(width, 1)
        if inner.spectrally_normalised:
            spectrally_normalise(self)

    def score(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        features = self.meeting(torch.cat([self.trunk(x), self.code(conditions["code"])], 1))
        return self.logits(features), features


class PictureConditionalDiscriminator(WrappedDiscriminator):
    """Samples (N, C, H, W), and behind their channels the pictures (N, C', H, W) to which they should belong.

    Args:
        network: makes the discriminator within, given `shape`.
        shape, given: of both, [C, H, W] and [C', H, W].
        name: of the condition that holds the pictures.
    """

    def __init__(self, network: Callable[..., Discriminator], shape: list[int], given: list[int], name: str) -> None:
        inner = network(shape=[shape[0] + given[0], *shape[1:]])
        super().__init__(inner)
        self.name, self.given = name, given

    def trunk_inputs(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, ...]:
        return (torch.cat([x, conditions[self.name]], 1),)

    def blank_conditions(self, n: int) -> dict[str, Tensor]:
        return {self.name: torch.zeros(n, *self.given)}

    def score(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(*self.trunk_inputs(x, **conditions))
        return self.logits(features), features


class Classifier(nn.Module):
    """Samples (N, *shape) to numbers (N, outputs): a discriminator's trunk with another head."""

    def __init__(self, network: Callable[[], Discriminator], outputs: int) -> None:
        super().__init__()
        inner = network()
        self.trunk = inner.trunk
        self.head = nn.Linear(inner.feature_count, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x))
