"""Fully connected networks, for images and for numbers (Goodfellow et al. 2014)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

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


class FourierFeatures(nn.Module):
    """Numbers x (N, D) to x, sin(2^k π x) and cos(2^k π x) for k < octaves: (N, D (1 + 2 octaves)).

    Without them a fully connected network learns fine detail last (Tancik et al. 2020; these: Mildenhall et al. 2020).
    """

    def __init__(self, octaves: int) -> None:
        super().__init__()
        within("[0, 16]", octaves=octaves)
        self.octaves = octaves

    def forward(self, x: Tensor) -> Tensor:
        angles = [x * (math.pi * 2**k) for k in range(self.octaves)]
        return torch.cat([x, *(torch.sin(angle) for angle in angles), *(torch.cos(angle) for angle in angles)], dim=1)


class MLPGenerator(Generator):
    """Noise (N, noise_dim) to samples (N, *shape): tanh at the end for images and sound, linear for numbers.

    Args:
        shape: of one sample.
        hidden: widths of the hidden layers.
        activation, norm, dropout: of each hidden layer.
        init_std: of the initial weights, with biases 0; null for PyTorch's initialisation.
        octaves: of the sines and cosines of each input, which the first layer is shown beside it; 0 for none.

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
        octaves: int = 0,
    ) -> None:
        super().__init__()
        features = [FourierFeatures(octaves)] if octaves else []
        blocks, width = hidden_blocks(noise_dim * (1 + 2 * octaves), hidden, activation, norm, dropout)
        check_shape(shape)
        end: list[nn.Module] = [nn.Linear(width, math.prod(shape))]
        if len(shape) > 1:
            end += [nn.Tanh(), nn.Unflatten(1, shape)]
        self.net = Sequential(*features, *blocks, *end)
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
        octaves: int = 0,
    ) -> None:
        super().__init__()
        check_shape(shape)
        features = [FourierFeatures(octaves)] if octaves else []
        inputs = math.prod(shape) * (1 + 2 * octaves)
        blocks, width = hidden_blocks(inputs, hidden, activation, norm, dropout, norm_first)
        self.trunk = Sequential(nn.Flatten(), *features, *blocks)
        self.head = nn.Linear(width, 1)
        _initialise(self, init_std)

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "hidden":
            return [512, 256] if len(shape) > 1 else [32, 32] if shape == [1] else [128, 128, 128]
        if key == "activation":
            return "silu" if shape == [1] else "leaky_relu"
        return super().auto(key, shape, per_sample)
