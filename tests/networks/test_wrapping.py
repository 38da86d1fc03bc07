"""What a discriminator says of itself, and what is built around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from gantrain.games.sgan import ClassLogits
from gantrain.networks import DCGANDiscriminator, Discriminator, MLPDiscriminator, ResNetDiscriminator
from gantrain.networks.conditional import ConditionalDiscriminator
from gantrain.networks.heads import MultiHeadDiscriminator, PairDiscriminator
from gantrain.networks.layers import StddevLayer, has_spectral_norm, spectrally_normalise
from gantrain.tricks.inserting import insert_before


class EqualisedRate(nn.Module):
    """The weight times a constant (Karras et al. 2017, section 4.1)."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * (2 / weight.shape[1]) ** 0.5


def equalise(layer: nn.Module) -> None:
    parametrize.register_parametrization(layer, "weight", EqualisedRate())


def normalised(normalise: Callable[[nn.Module], Any], shape: list[int] | None = None) -> MLPDiscriminator:
    """A discriminator with the weights of every linear layer normalised so."""
    network = MLPDiscriminator(shape or [2], [4, 4])
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear):
            normalise(layer)
    return network


HOW = {"weight_norm": parametrizations.weight_norm, "equalised": equalise, "spectral": parametrizations.spectral_norm}
AROUND: dict[str, Callable[[Callable[..., Discriminator]], Discriminator]] = {
    "projection": lambda make: ConditionalDiscriminator(make, [2], 3, "projection"),
    "embedding": lambda make: ConditionalDiscriminator(make, [2], 3, "embedding"),
    "every_layer": lambda make: ConditionalDiscriminator(make, [2], 3, "every_layer"),
    "heads": lambda make: MultiHeadDiscriminator(make, {"label": lambda features: nn.Linear(features, 3)}),
    "pair": lambda make: PairDiscriminator(make, 2, 4, [4], "none"),
    "classes": lambda make: ClassLogits(make, 3),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("around", AROUND)
def test_what_is_added_is_normalised_where_the_rest_is(around: str, how: str) -> None:
    """Spectral norm alone spreads: weights that are normalised otherwise keep their own norm, and so do added ones."""
    inner = normalised(HOW[how])
    own = {*inner.modules()}
    network = AROUND[around](lambda shape=None: normalised(HOW[how], shape) if around == "embedding" else inner)
    added = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Embedding)) and m not in own]
    if around == "embedding":
        added = [network.embedding]  # type: ignore[list-item]
    assert added
    assert inner.spectrally_normalised == network.spectrally_normalised == (how == "spectral")
    for layer in added:
        assert has_spectral_norm(layer) == (how == "spectral")
        assert parametrize.is_parametrized(layer) == (how == "spectral")


@pytest.mark.parametrize("how", HOW)
def test_a_layer_put_before_another_is_normalised_as_that_is(how: str) -> None:
    network = normalised(HOW[how])
    insert_before(network, "head", StddevLayer(None), 4, 1, {})
    assert has_spectral_norm(network.get_submodule("head.1")) == (how == "spectral")


@pytest.mark.parametrize("how", HOW)
def test_spectral_norm_is_put_on_whatever_other_norm_once(how: str) -> None:
    torch.manual_seed(0)
    network = normalised(HOW[how])
    layers = [m for m in network.modules() if isinstance(m, nn.Linear)]
    others = [has_spectral_norm(layer) for layer in layers]
    assert others == [how == "spectral"] * 3
    for _ in range(2):
        spectrally_normalise(network)
    for layer in layers:
        chain = layer.get_submodule("parametrizations.weight")
        assert sum(isinstance(part, parametrizations._SpectralNorm) for part in chain.children()) == 1
        for _ in range(300):
            weight = layer.weight  # each look is a step of the power iteration
        assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("network", "flat", "canvas"),
    [
        (partial(MLPDiscriminator, hidden=[4]), True, None),
        (partial(DCGANDiscriminator, width=2), False, (32, 32)),
        (partial(ResNetDiscriminator, width=16), False, (32, 32)),
    ],
)
def test_how_images_are_taken(
    network: Callable[..., Discriminator], flat: bool, canvas: tuple[int, int] | None
) -> None:
    """Labels of 28x28 images stand beside 784 numbers, or cover the 32x32 on which the network works."""
    plain = network([1, 28, 28])
    assert (plain.flat, plain.canvas) == (flat, canvas)
    around = ConditionalDiscriminator(network, [1, 28, 28], 3, "concat")
    assert (around.flat, around.canvas) == (flat, canvas)
    layer = next(m for m in around.trunk.modules() if isinstance(m, (nn.Linear, nn.Conv2d)))
    seen: list[Tensor] = []
    layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    around(torch.zeros(2, 1, 28, 28), label=torch.tensor([1, 2]))
    if flat:
        assert seen[0].shape == (2, 784 + 3)
    else:
        assert seen[0].shape[1:] == (4, 32, 32)
        assert (seen[0][0, 2] == 1).all()
        assert (seen[0][0, 0, :2] == -1).all()
