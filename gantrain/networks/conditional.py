"""Networks that know a label."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gantrain.networks.layers import Pad, spectrally_normalise
from gantrain.networks.network import Discriminator, Generator

Conditioning = Literal["concat", "embedding", "projection"]

EMBEDDED = 32
"""Numbers in a generator's label embedding."""


class ConditionalNorm(nn.Module):
    """Batch norm whose gain and bias belong to the label (Dumoulin et al. 2017; Miyato & Koyama 2018).

    `label` is set by the network around it before every pass.
    """

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm, classes: int) -> None:
        super().__init__()
        features = norm.num_features
        self.norm = type(norm)(features, eps=norm.eps, momentum=norm.momentum, affine=False)
        self.gain, self.bias = nn.Embedding(classes, features), nn.Embedding(classes, features)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)
        self.label: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        assert self.label is not None, "the label is set first"
        shape = (len(x), -1, *[1] * (x.dim() - 2))
        return self.gain(self.label).view(shape) * self.norm(x) + self.bias(self.label).view(shape)


class ConditionalGenerator(Generator):
    """Noise (N, noise_dim) and labels (N,) to samples.

    Args:
        network: makes the generator within, given `noise_dim`.
        conditioning: `concat` puts a one-hot label beside the noise (Mirza & Osindero 2014), `embedding` a learnt one,
            `projection` makes every batch norm conditional (Miyato & Koyama 2018).

    Raises:
        ValueError: `projection` where there is no batch norm.
    """

    def __init__(
        self, network: Callable[..., Generator], noise_dim: int, classes: int, conditioning: Conditioning
    ) -> None:
        super().__init__()
        self.classes, self.conditioning = classes, conditioning
        extra = {"concat": classes, "embedding": EMBEDDED, "projection": 0}[conditioning]
        self.network = network(noise_dim=noise_dim + extra)
        if conditioning == "embedding":
            self.embedding = nn.Embedding(classes, EMBEDDED)
        if conditioning == "projection":
            norms = [(n, m) for n, m in self.network.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
            if not norms:
                raise ValueError(
                    "conditioning=projection works on the generator through batch norm, which it has not: set "
                    "model.generator.norm=batch, or model.conditioning=embedding"
                )
            for name, norm in norms:
                self.network.set_submodule(name, ConditionalNorm(norm, classes))

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        if self.conditioning == "concat":
            noise = torch.cat([noise, F.one_hot(label, self.classes).to(noise.dtype)], 1)
        elif self.conditioning == "embedding":
            noise = torch.cat([noise, self.embedding(label)], 1)
        else:
            for module in self.network.modules():
                if isinstance(module, ConditionalNorm):
                    module.label = label
        return self.network(noise)


class ConditionalDiscriminator(Discriminator):
    """Samples (N, *shape) and labels (N,) to logits.

    Args:
        network: makes the discriminator within, given `shape`.
        shape: of what it is shown, [C, H, W] or [D].
        conditioning: `concat` puts the one-hot label beside the sample (Mirza & Osindero 2014), `embedding` learnt
            numbers; `projection` adds <embedding of the label, features> to the logit (Miyato & Koyama 2018, equation
            4). Convolutions get one constant map per class, or one learnt map.
    """

    def __init__(
        self, network: Callable[..., Discriminator], shape: list[int], classes: int, conditioning: Conditioning
    ) -> None:
        super().__init__()
        self.classes, self.conditioning = classes, conditioning
        inner = network(shape=shape)
        first = inner.trunk[0]
        self.flat = isinstance(first, nn.Flatten)
        if self.flat:
            shape = [math.prod(shape)]
        self.pad = first if isinstance(first, Pad) and conditioning != "projection" else nn.Identity()
        if isinstance(self.pad, Pad):  # the label's maps cover the whole canvas, where black would be another label
            shape = [shape[0], self.pad.canvas, self.pad.canvas]
        area = math.prod(shape[1:])
        wide = EMBEDDED if len(shape) == 1 else 1
        extra = {"concat": classes, "embedding": wide, "projection": 0}[conditioning]
        if extra:
            inner = network(shape=[shape[0] + extra, *shape[1:]])
        normalised = any(parametrize.is_parametrized(module) for module in inner.modules())
        self.trunk, self.head = inner.trunk, inner.head
        if conditioning == "embedding":
            self.embedding = nn.Embedding(classes, wide * area)
        if conditioning == "projection":
            self.embedding = nn.Embedding(classes, self.feature_count)
            nn.init.normal_(self.embedding.weight, std=self.feature_count**-0.5)
        if normalised:
            spectrally_normalise(self)

    def judge(self, x: Tensor, **told: Tensor) -> tuple[Tensor, Tensor]:
        label = told["label"]
        x = self.pad(x.flatten(1) if self.flat else x)
        if self.conditioning == "concat":
            one_hot = F.one_hot(label, self.classes).to(x.dtype)
            x = torch.cat([x, one_hot.view(*one_hot.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])], 1)
        elif self.conditioning == "embedding":
            x = torch.cat([x, self.embedding(label).to(x.dtype).view(len(x), -1, *x.shape[2:])], 1)
        logits, features = super().judge(x)
        if self.conditioning == "projection":
            logits = logits + (self.embedding(label) * features).sum(1)
        return logits, features


class ManyHeaded(Discriminator):
    """A discriminator with further heads on the features under its own.

    Args:
        network: makes the discriminator within.
        heads: by name, each made for a number of features.
    """

    def __init__(self, network: Callable[[], Discriminator], heads: Mapping[str, Callable[[int], nn.Module]]) -> None:
        super().__init__()
        inner = network()
        self.trunk, self.head = inner.trunk, inner.head
        features = self.feature_count
        self.heads = nn.ModuleDict({name: make(features) for name, make in heads.items()})
        if any(parametrize.is_parametrized(module) for module in inner.modules()):
            spectrally_normalise(self.heads)


class PairDiscriminator(Discriminator):
    """Samples (N, *shape) and codes (N, nz) to logits: the trunk's features and the code meet in one more layer.

    Args:
        network: makes the discriminator of samples within.
        code_dim: nz.
        width: of the layer where they meet.
    """

    def __init__(self, network: Callable[[], Discriminator], code_dim: int, width: int = 256) -> None:
        super().__init__()
        inner = network()
        normalised = any(parametrize.is_parametrized(module) for module in inner.modules())
        self.trunk, self.head = inner.trunk, inner.head
        features = self.feature_count
        self.code = nn.Sequential(nn.Linear(code_dim, width), nn.LeakyReLU(0.2))
        self.meeting = nn.Sequential(nn.Linear(features + width, width), nn.LeakyReLU(0.2))
        self.head = nn.Linear(width, 1)
        if normalised:
            spectrally_normalise(self)

    def judge(self, x: Tensor, **told: Tensor) -> tuple[Tensor, Tensor]:
        features = self.meeting(torch.cat([self.trunk(x), self.code(told["code"])], 1))
        return self.head(features).flatten(1).squeeze(1), features


class Classifier(nn.Module):
    """Samples (N, *shape) to numbers (N, outputs): a discriminator's trunk with another head."""

    def __init__(self, network: Callable[[], Discriminator], outputs: int) -> None:
        super().__init__()
        inner = network()
        self.trunk = inner.trunk
        self.head = nn.Linear(inner.feature_count, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x))
