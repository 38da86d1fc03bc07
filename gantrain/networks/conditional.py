"""Networks that know a label."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gantrain.networks.layers import Norm, Pad, spectrally_normalise
from gantrain.networks.mlp import stack
from gantrain.networks.network import Discriminator, Generator

Conditioning = Literal["concat", "embedding", "projection", "every_layer"]

EMBEDDED = 32
"""Numbers in a generator's label embedding."""


class LabelConditioned(nn.Module):
    """A layer that depends on labels (N,); `label` is set by the network around it before every pass."""

    label: Tensor | None = None

    def by_label(self, table: nn.Embedding, x: Tensor) -> Tensor:
        """The table's rows of this pass's labels, in the shape (N, F, 1, …) that meets features or maps x."""
        assert self.label is not None, "the label is set first"
        return table(self.label).view(len(x), -1, *[1] * (x.dim() - 2))


def set_labels(network: nn.Module, label: Tensor) -> None:
    """Sets the labels of the pass that comes next."""
    for module in network.modules():
        if isinstance(module, LabelConditioned):
            module.label = label


class ConditionalLayer(LabelConditioned):
    """A linear layer or convolution with the one-hot label beside its input; its weights are a bias for each label."""

    def __init__(self, layer: nn.Module, classes: int) -> None:
        super().__init__()
        self.layer, self.of_label = layer, weights_of_label(layer, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        return x + self.by_label(self.of_label, x).to(x.dtype)


def weights_of_label(layer: nn.Module, classes: int) -> nn.Embedding:
    """The weights that a linear layer or convolution gets for a one-hot label beside its input, as large as its own."""
    outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    assert isinstance(outputs, int)
    assert isinstance(layer.weight, Tensor)
    table = nn.Embedding(classes, outputs)
    nn.init.normal_(table.weight, std=layer.weight.detach().std(correction=0).item())
    return table


def condition_every_layer(network: nn.Module, classes: int) -> None:
    """Puts the label beside the input of every layer with weights inside the network (Li et al. 2017)."""
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    for name, layer in [(name, m) for name, m in network.named_modules() if isinstance(m, kinds)]:
        network.set_submodule(name, ConditionalLayer(layer, classes))


class ConditionalNorm(LabelConditioned):
    """Batch norm whose gain and bias belong to the label (Dumoulin et al. 2017; Miyato & Koyama 2018)."""

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm, classes: int) -> None:
        super().__init__()
        features = norm.num_features
        self.norm = type(norm)(features, eps=norm.eps, momentum=norm.momentum, affine=False)
        self.gain, self.bias = nn.Embedding(classes, features), nn.Embedding(classes, features)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.by_label(self.gain, x) * x + self.by_label(self.bias, x)


class ConditionalGenerator(Generator):
    """Noise (N, noise_dim) and labels (N,) to samples.

    Args:
        network: makes the generator within, given `noise_dim`.
        conditioning: `concat` puts a one-hot label beside the noise (Mirza & Osindero 2014), `embedding` a learnt one,
            `projection` makes every batch norm conditional (Miyato & Koyama 2018), `every_layer` puts the one-hot label
            beside the input of each layer with weights (Li et al. 2017).
        last_norm: the last batch norm too; with `projection` alone.

    Raises:
        ValueError: `projection` where there is no batch norm to make conditional, or `last_norm` without it.
    """

    def __init__(
        self,
        network: Callable[..., Generator],
        noise_dim: int,
        classes: int,
        conditioning: Conditioning,
        last_norm: bool = True,
    ) -> None:
        super().__init__()
        if not last_norm and conditioning != "projection":
            raise ValueError(f"last_norm=false belongs to conditioning=projection, not to {conditioning}: leave it out")
        self.classes, self.conditioning = classes, conditioning
        extra = {"concat": classes, "embedding": EMBEDDED}.get(conditioning, 0)
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
            if not last_norm:
                norms = norms[:-1]
            if not norms:
                raise ValueError("the generator's only norm would stay plain: set model.last_norm=true")
            for name, norm in norms:
                self.network.set_submodule(name, ConditionalNorm(norm, classes))
        if conditioning == "every_layer":
            condition_every_layer(self.network, classes)

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        if self.conditioning == "concat":
            noise = torch.cat([noise, F.one_hot(label, self.classes).to(noise.dtype)], 1)
        elif self.conditioning == "embedding":
            noise = torch.cat([noise, self.embedding(label)], 1)
        set_labels(self.network, label)
        return self.network(noise)


class ConditionalDiscriminator(Discriminator):
    """Samples (N, *shape) and labels (N,) to logits.

    Args:
        network: makes the discriminator within, given `shape`.
        shape: of what it is shown, [C, H, W] or [D].
        conditioning: `concat` puts the one-hot label beside the sample (Mirza & Osindero 2014), `embedding` learnt
            numbers; `projection` adds <embedding of the label, features> to the logit (Miyato & Koyama 2018, equation
            4); `every_layer` puts the one-hot label beside the input of each layer with weights, the last one included
            (Li et al. 2017). Convolutions get one constant map per class, or one learnt map.
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
        beside = conditioning in ("concat", "embedding")
        self.pad = first if beside and isinstance(first, Pad) else nn.Identity()
        if isinstance(self.pad, Pad):  # the label's maps cover the whole canvas, where black would be another label
            shape = [shape[0], self.pad.canvas, self.pad.canvas]
        area = math.prod(shape[1:])
        wide = EMBEDDED if len(shape) == 1 else 1
        if beside:
            extra = classes if conditioning == "concat" else wide
            inner = network(shape=[shape[0] + extra, *shape[1:]])
        normalised = any(parametrize.is_parametrized(module) for module in inner.modules())
        self.trunk, self.head = inner.trunk, inner.head
        if conditioning == "embedding":
            self.embedding = nn.Embedding(classes, wide * area)
        if conditioning == "projection":
            self.embedding = nn.Embedding(classes, self.feature_count)
            nn.init.normal_(self.embedding.weight, std=self.feature_count**-0.5)
        if conditioning == "every_layer":
            condition_every_layer(self.trunk, classes)
            self.of_label = weights_of_label(self.head, classes)
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
        set_labels(self.trunk, label)
        logits, features = super().judge(x)
        if self.conditioning == "projection":
            logits = logits + (self.embedding(label) * features).sum(1)
        if self.conditioning == "every_layer":
            logits = logits + self.of_label(label).view(-1, *[1] * (logits.dim() - 1))
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
        width, norm: of the layer where they meet.
        code_hidden: widths of layers that the code passes before.
    """

    def __init__(
        self, network: Callable[[], Discriminator], code_dim: int, width: int, code_hidden: list[int], norm: Norm
    ) -> None:
        super().__init__()
        inner = network()
        normalised = any(parametrize.is_parametrized(module) for module in inner.modules())
        self.trunk, self.head = inner.trunk, inner.head
        features = self.feature_count
        blocks, code_dim = stack(code_dim, code_hidden, "leaky_relu", "none", 0.0)
        self.code = nn.Sequential(*blocks)
        (meeting,), width = stack(features + code_dim, [width], "leaky_relu", norm, 0.0)
        self.meeting = meeting
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
