"""Fully connected networks, for images and for numbers (Goodfellow et al. 2014)."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from gantrain.networks.conditioning import Sequential
from gantrain.networks.layers import Activation, Norm, activation, norm1d
from gantrain.networks.network import Discriminator, Generator, check_shape
from gantrain.ranges import NOT_NEGATIVE, WIDTH, within


def hidden_blocks(
    width: int, hidden: list[int], act: Activation, norm: Norm, dropout: float, norm_first: bool = True
) -> tuple[list[nn.Module], int]:
    """One block of linear, norm, activation and dropout per hidden width; and the width at their end."""
    within(WIDTH, hidden=hidden)
    within("[0, 1)", dropout=dropout)
    blocks: list[nn.Module] = []
    for wider in hidden:
        here: Norm = norm if blocks or norm_first else "none"
        parts = [nn.Linear(width, wider), norm1d(here, wider), activation(act), nn.Dropout(dropout)]
        idle = (nn.Identity,) if dropout else (nn.Identity, nn.Dropout)
        blocks.append(Sequential(*(p for p in parts if not isinstance(p, idle))))
        width = wider
    return blocks, width


def _initialise(module: nn.Module, std: float | None) -> None:
    """Weights N(0, std²) and biases 0 in every linear layer; PyTorch's own where std is None."""
    within(NOT_NEGATIVE, init_std=std)
    for layer in module.modules():
        if std is not None and isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
            nn.init.zeros_(layer.bias)


class MLPGenerator(Generator):
    """Noise (N, noise_dim) to samples (N, *shape): tanh at the end for images and sound, linear for numbers.

    Args:
        shape: of one sample.
        hidden: widths of the hidden layers.
        activation, norm, dropout: of each hidden layer.
        init_std: of the initial weights, with biases 0; null for PyTorch's initialisation.

    Raises:
        ValueError: settings out of range, or a shape of another kind.
    """

    def __init__(
        self,
        shape: list[int],
        noise_dim: int,
        hidden: list[int],
        activation: Activation = "relu",
        norm: Norm = "none",
        dropout: float = 0.0,
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        blocks, width = hidden_blocks(noise_dim, hidden, activation, norm, dropout)
        check_shape(shape)
        end: list[nn.Module] = [nn.Linear(width, math.prod(shape))]
        if len(shape) > 1:
            end += [nn.Tanh(), nn.Unflatten(1, shape)]
        self.net = Sequential(*blocks, *end)
        _initialise(self, init_std)

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "hidden":
            return [256, 512] if len(shape) > 1 else [32] if shape == [1] else [128, 128, 128]
        if key == "activation":
            return "silu" if shape == [1] else "relu"
        if key == "norm":
            return "batch" if len(shape) > 1 else "none"
        return super().auto(key, shape, per_sample)


class MLPDiscriminator(Discriminator):
    """Samples (N, *shape) to logits (N,).

    Args:
        norm_first: the first hidden layer has the norm too, unlike in most convolutional discriminators.

    The others as for `MLPGenerator`.
    """

    flat = True

    def __init__(
        self,
        shape: list[int],
        hidden: list[int],
        activation: Activation = "leaky_relu",
        norm: Norm = "none",
        dropout: float = 0.0,
        init_std: float | None = None,
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        check_shape(shape)
        blocks, width = hidden_blocks(math.prod(shape), hidden, activation, norm, dropout, norm_first)
        self.trunk = Sequential(nn.Flatten(), *blocks)
        self.head = nn.Linear(width, 1)
        _initialise(self, init_std)

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "hidden":
            return [512, 256] if len(shape) > 1 else [32, 32] if shape == [1] else [128, 128, 128]
        if key == "activation":
            return "silu" if shape == [1] else "leaky_relu"
        return super().auto(key, shape, per_sample)
