"""Large residual networks (Brock, Donahue & Simonyan 2018, BigGAN)."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gantrain.automatic import Automatic
from gantrain.networks.attention import SelfAttention
from gantrain.networks.canvas import Canvas, Crop, FirstMaps, Pad
from gantrain.networks.conditioning import Conditioned, Sequential, call
from gantrain.networks.layers import NormTable, spectrally_normalise
from gantrain.networks.network import Discriminator, Generator, images_only
from gantrain.networks.resnet import Block, SumPool
from gantrain.ranges import WIDTH, within

GENERATOR_WIDTHS = {
    16: (4, 4, 4),
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
}
"""By the side of pictures, the channels of G's maps at sides of 4, 8, 16 and so on, in multiples of `width`.

Those for 128 and 256 are the paper's, those for 32 and 64 its code's, and that for 16 goes on from them.
"""
DISCRIMINATOR_WIDTHS = {
    16: (4, 4, 4),
    32: (4, 4, 4, 4),
    64: (1, 2, 4, 8, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
}
"""Likewise what each of D's blocks makes, from the picture on: they halve down to 8, or 4 above 32, then keep."""
SPECTRAL_EPSILON = 1e-6
"""Of spectral norm; that with which the authors' code trains."""

Initialisation = Literal["orthogonal", "normal"]


class ScaledBatchNorm(Conditioned):
    """Batch norm whose gain and bias are linear in a vector (N, D): 1 + Wc, and Vc, without biases of their own."""

    def __init__(self, features: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(features, affine=False)
        self.gain = nn.Linear(condition_dim, features, bias=False)
        self.bias = nn.Linear(condition_dim, features, bias=False)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        assert condition is not None, "this norm is called with a vector"
        gain, bias = (layer(condition)[:, :, None, None] for layer in (self.gain, self.bias))
        return (self.norm(x) * (1 + gain.float()) + bias).to(x.dtype)  # bf16 has steps of 1/128 above 1


class ClassBatchNorm(Conditioned):
    """Batch norm with a gain 1 + w and a bias v for each label, which have no embedding in common."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(features, affine=False)
        self.gain, self.bias = NormTable(classes, features), NormTable(classes, features)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        assert condition is not None, "this norm is called with labels"
        gain, bias = (table(condition)[:, :, None, None] for table in (self.gain, self.bias))
        return (self.norm(x) * (1 + gain.float()) + bias).to(x.dtype)  # bf16 has steps of 1/128 above 1


class AttentionByDefault(Automatic):
    """`attention: auto` is one layer: at 64 for pictures beyond that, else at half their side."""

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "attention":
            _, size = images_only(shape, "networks=biggan")
            return [min(64, _canvas(size).shorter // 2)]
        return super().auto(key, shape, per_sample)


class BigGANGenerator(AttentionByDefault, Generator):
    """Noise (N, noise_dim), and labels (N,) where it has classes, to images (N, C, H, W) in [-1, 1].

    Noise comes in parts: one makes the smallest map, each further one goes, with the label's embedding, into the gains
    and biases of one block's norms.

    Args:
        shape: [C, H, W], both sides from 16 to 256; cropped where the shorter one is no power of two.
        classes: how many labels; None for none.
        width: channels at the full size of 128, of which other maps have multiples; 96 in the paper.
        embedding: numbers of a label's embedding, which all norms share; None for gains and biases by label.
        skip_noise: noise goes into every block; else all of it makes the smallest map.
        attention: sides of maps that a layer of self-attention follows.
        spectral_norm: of every layer but the embedding.
        initial: `orthogonal`, or `normal`: N(0, 0.02²), as the authors' code has it for CIFAR-10.

    Raises:
        ValueError: the samples are no images of such a size, no map has a side of `attention`, there are fewer numbers
            of noise than parts, or labels without an embedding are to meet noise.
    """

    knows_labels = True
    standing_statistics = True

    def __init__(
        self,
        shape: list[int],
        noise_dim: int,
        classes: int | None = None,
        width: int = 96,
        embedding: int | None = 128,
        skip_noise: bool = True,
        attention: list[int] | None = None,
        spectral_norm: bool = True,
        initial: Initialisation = "orthogonal",
    ) -> None:
        super().__init__()
        within(WIDTH, width=width, embedding=embedding)
        channels, size = images_only(shape, "networks=biggan")
        canvas = _canvas(size)
        self.parts = _parts(noise_dim, canvas.doublings + 1) if skip_noise else [noise_dim]
        if classes and embedding is None and skip_noise:
            raise ValueError("embedding=null has no vector that noise could join: set skip_noise=false too")
        self.embedding = NormTable(classes, embedding) if classes and embedding else None
        by_label = classes if embedding is None else None
        widths = [width * times for times in GENERATOR_WIDTHS[canvas.shorter]]

        self.first = FirstMaps(self.parts[0], widths[0], canvas.start)
        self.stages = nn.ModuleList()
        for k, (inside, outside) in enumerate(pairwise(widths)):
            of_noise = self.parts[k + 1] if skip_noise else 0
            condition_dim = of_noise + (self.embedding.embedding_dim if self.embedding else 0)
            block = Block(inside, outside, "up", partial(_norm, condition_dim, by_label))
            self.stages.append(Sequential(block, *_attend(4 * 2 ** (k + 1), outside, attention)))
        _check_attention(attention, [4 * 2 ** (k + 1) for k in range(len(self.stages))])
        last = nn.Conv2d(widths[-1], channels, 3, 1, 1)
        self.last = Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), last, nn.Tanh(), Crop(size, canvas.whole))
        _initialise(self, initial)
        if spectral_norm:
            spectrally_normalise(self, SPECTRAL_EPSILON)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        first, *rest = noise.split(self.parts, 1)
        shared = condition if self.embedding is None or condition is None else self.embedding(condition)
        x = self.first(first)
        for k, stage in enumerate(self.stages):
            told = [part for part in (shared, rest[k] if rest else None) if part is not None]
            x = call(stage, x, torch.cat(told, 1) if len(told) > 1 else next(iter(told), None))
        return self.last(x)


def _norm(condition_dim: int, classes: int | None, channels: int) -> nn.Module:
    """A norm that depends on a vector, on a label, or on nothing."""
    if condition_dim:
        return ScaledBatchNorm(channels, condition_dim)
    return ClassBatchNorm(channels, classes) if classes else nn.BatchNorm2d(channels)


class BigGANDiscriminator(AttentionByDefault, Discriminator):
    """Images (N, C, H, W), and labels (N,) where it has classes, to logits (N,).

    The sum of features over all places goes through a linear layer, to which <embedding of the label, features> is
    added (Miyato & Koyama 2018).

    Args:
        shape: [C, H, W], both sides from 16 to 256; padded where the shorter one is no power of two.
        classes: how many labels; None for none.
        width: channels of the first block at 128, of which others have multiples; 96 in the paper.
        attention: sides of maps that a layer of self-attention follows.
        spectral_norm: of every layer.
        initial: as for the generator.

    Raises:
        ValueError: the samples are no images of such a size, or no map has a side of `attention`.
    """

    knows_labels = True

    def __init__(
        self,
        shape: list[int],
        classes: int | None = None,
        width: int = 96,
        attention: list[int] | None = None,
        spectral_norm: bool = True,
        initial: Initialisation = "orthogonal",
    ) -> None:
        super().__init__()
        within(WIDTH, width=width)
        channels, size = images_only(shape, "networks=biggan")
        canvas = _canvas(size)
        side, last, inside = canvas.shorter, 8 if canvas.shorter <= 32 else 4, channels
        layers: list[nn.Module] = [Pad(size, canvas.whole)]
        sides: list[int] = []
        for times in DISCRIMINATOR_WIDTHS[canvas.shorter]:
            resample: Literal["down", "keep"] = "down" if side > last else "keep"
            side = side // 2 if resample == "down" else side
            layers.append(Block(inside, width * times, resample, "none", first=not sides))
            inside = width * times
            if side not in sides:
                layers += _attend(side, inside, attention)
            sides.append(side)
        _check_attention(attention, sides)
        self.trunk, self.canvas = Sequential(*layers, SumPool()), canvas.whole
        self.head = nn.Linear(inside, 1)
        self.embedding = nn.Embedding(classes, inside) if classes else None
        _initialise(self, initial)
        if spectral_norm:
            spectrally_normalise(self, SPECTRAL_EPSILON)

    def score(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        logits, features = super().score(x)
        if self.embedding is not None:
            logits = logits + (self.embedding(conditions["label"]) * features).sum(1)
        return logits, features


def _canvas(size: tuple[int, int]) -> Canvas:
    return Canvas.of(size, 16, 256, "networks=biggan")


def _parts(noise_dim: int, count: int) -> list[int]:
    """How many numbers of the noise each part has, as even as can be.

    Raises:
        ValueError: one would have none.
    """
    if noise_dim < count:
        raise ValueError(f"noise of {noise_dim} numbers has no part for each of {count} layers: raise model.noise.dim")
    return [noise_dim // count + (place < noise_dim % count) for place in range(count)]


def _attend(side: int, channels: int, attention: list[int] | None) -> list[nn.Module]:
    """The layer of self-attention behind maps of this shorter side, where there is to be one."""
    return [SelfAttention(channels)] if side in (attention or ()) else []


def _check_attention(attention: list[int] | None, sides: list[int]) -> None:
    """Raises ValueError where there are no maps to attend to."""
    for side in attention or ():
        if side not in sides:
            have = ", ".join(map(str, dict.fromkeys(sides)))
            raise ValueError(f"attention={attention}: no map has a side of {side}, but {have}")


def _initialise(network: nn.Module, initial: Initialisation) -> None:
    """Weights of every layer and embedding; biases begin as PyTorch has them, as in the authors' code."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Embedding)):
            nn.init.orthogonal_(layer.weight) if initial == "orthogonal" else nn.init.normal_(layer.weight, std=0.02)
