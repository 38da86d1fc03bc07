"""Players that know a label."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks.canvas import Pad
from gantrain.networks.conditioning import condition_batch_norms, condition_every_layer, label_weights
from gantrain.networks.layers import spectrally_normalise
from gantrain.networks.network import Discriminator, Generator, WrappedDiscriminator

Conditioning = Literal["concat", "embedding", "projection", "every_layer", "built_in"]

EMBEDDING_DIM = 32
"""Numbers in a generator's label embedding."""

Network = TypeVar("Network", bound=nn.Module)


class ConditionalGenerator(Generator):
    """Noise (N, noise_dim) and labels (N,) to samples.

    Args:
        network: makes the generator within, given `noise_dim`.
        conditioning: `concat` puts a one-hot label beside the noise (Mirza & Osindero 2014), `embedding` a learnt one,
            `projection` makes every batch norm conditional (Miyato & Koyama 2018), `every_layer` puts the one-hot label
            beside the input of each layer with weights (Li et al. 2017), `built_in` leaves it to a network that has
            its own way.
        last_norm: the last batch norm too; with `projection` alone.

    Raises:
        ValueError: `projection` where there is no batch norm to make conditional, `last_norm` without it, the network
            does not hand the label on to the layers that should know it, or it has a way of its own, or none.
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
        extra = {"concat": classes, "embedding": EMBEDDING_DIM}.get(conditioning, 0)
        if conditioning == "built_in":
            self.network = told_classes(network, classes, noise_dim=noise_dim)
        else:
            self.network = network(noise_dim=noise_dim + extra)
        self.standing_statistics = self.network.standing_statistics
        if self.network.knows_labels and conditioning in ("projection", "every_layer"):
            raise ValueError(
                f"{type(self.network).__name__} has its own way of conditioning, and layers that {conditioning} does "
                "not know: set model.conditioning=built_in"
            )
        if conditioning == "embedding":
            self.embedding = nn.Embedding(classes, EMBEDDING_DIM)
        if conditioning == "projection":
            condition_batch_norms(self.network, classes, last_norm)
        if conditioning == "every_layer":
            condition_every_layer(self.network, classes)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        assert condition is not None, "a conditional generator is called with labels"
        if self.conditioning == "concat":
            return self.network(torch.cat([noise, F.one_hot(condition, self.classes).to(noise.dtype)], 1))
        if self.conditioning == "embedding":
            return self.network(torch.cat([noise, self.embedding(condition)], 1))
        return self.network(noise, condition)


class ConditionalDiscriminator(WrappedDiscriminator):
    """Samples (N, *shape) and labels (N,) to logits.

    Args:
        network: makes the discriminator within, given `shape`.
        shape: of what it is shown, [C, H, W] or [D].
        conditioning: `concat` puts the one-hot label beside the sample (Mirza & Osindero 2014), `embedding` learnt
            numbers; `projection` adds <embedding of the label, features> to the logit (Miyato & Koyama 2018, equation
            4); `every_layer` puts the one-hot label beside the input of each layer with weights, the last one included
            (Li et al. 2017). Convolutions get one constant map per class, or one learnt map. `built_in` is none of
            this class, but of `conditional_discriminator`.

    Raises:
        ValueError: `projection` where patches are judged, or the network does not hand the label on to the layers that
            should know it.
    """

    def __init__(
        self, network: Callable[..., Discriminator], shape: list[int], classes: int, conditioning: Conditioning
    ) -> None:
        inner = network(shape=shape)
        _check_entrance(inner)
        if inner.flat:
            shape = [math.prod(shape)]
        pad: nn.Module = nn.Identity()
        beside = conditioning in ("concat", "embedding")
        if beside and inner.canvas is not None:  # the label's maps cover all of it, where black would be another label
            first = inner.trunk[0]
            value = first.value if isinstance(first, Pad) else -1.0
            pad = Pad(tuple(shape[1:]), inner.canvas, value)
            shape = [shape[0], *inner.canvas]
        area = math.prod(shape[1:])
        wide = EMBEDDING_DIM if len(shape) == 1 else 1
        if beside:
            extra = classes if conditioning == "concat" else wide
            inner = network(shape=[shape[0] + extra, *shape[1:]])
        super().__init__(inner)
        self.classes, self.conditioning, self.pad = classes, conditioning, pad
        if conditioning == "embedding":
            self.embedding = nn.Embedding(classes, wide * area)
        if conditioning == "projection":
            self.embedding = nn.Embedding(classes, self.feature_count)
            nn.init.normal_(self.embedding.weight, std=self.feature_count**-0.5)
        if conditioning == "every_layer":
            condition_every_layer(self.trunk, classes)
            self.of_label = label_weights(self.head, classes)
        if inner.spectrally_normalised:
            spectrally_normalise(self)

    def trunk_inputs(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, ...]:
        label = conditions["label"]
        x = self.pad(x.flatten(1) if self.flat else x)
        if self.conditioning == "concat":
            one_hot = F.one_hot(label, self.classes).to(x.dtype)
            x = torch.cat([x, one_hot.view(*one_hot.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])], 1)
        elif self.conditioning == "embedding":
            x = torch.cat([x, self.embedding(label).to(x.dtype).view(len(x), -1, *x.shape[2:])], 1)
        return (x, label) if self.conditioning == "every_layer" else (x,)

    def score(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        label = conditions["label"]
        features = self.trunk(*self.trunk_inputs(x, **conditions))
        logits = self.logits(features)
        if self.conditioning == "projection":
            logits = logits + (self.embedding(label) * features).sum(1)
        if self.conditioning == "every_layer":
            of_label = self.of_label(label)  # one for each kind of patch
            patches = logits.shape[1:].numel() // of_label.shape[1]
            logits = logits + of_label.repeat_interleave(patches, 1).view_as(logits)
        return logits, features


def conditional_discriminator(
    network: Callable[..., Discriminator], shape: list[int], classes: int, conditioning: Conditioning
) -> Discriminator:
    """A discriminator that is told labels: the network itself where its own way is asked for, else one around it.

    Raises:
        ValueError: as `ConditionalDiscriminator`, or the network has no way of its own.
    """
    if conditioning == "built_in":
        return told_classes(network, classes)
    return ConditionalDiscriminator(network, shape, classes, conditioning)


def told_classes(network: Callable[..., Network], classes: int, **told: int) -> Network:
    """A network that is built for so many labels and conditions in its own way.

    Raises:
        ValueError: it has none.
    """
    try:
        return network(classes=classes, **told)
    except (TypeError, ValueError) as error:
        if "'classes'" not in str(error):
            raise
        raise ValueError(
            "conditioning=built_in is for networks with their own way to know labels, such as biggan and r3gan: set "
            "model.conditioning=projection, embedding or concat"
        ) from error


def _check_entrance(network: Discriminator) -> None:
    """Raises ValueError where a network does not say what its first layer makes of images."""
    first, kind = network.trunk[0], type(network).__name__
    if isinstance(first, nn.Flatten) and not network.flat:
        raise ValueError(f"{kind} looks at images as vectors: say so in its class, flat = True")
    if isinstance(first, Pad) and network.canvas is None:
        raise ValueError(f"{kind} widens images before it looks at them: say so in its __init__, self.canvas = …")
