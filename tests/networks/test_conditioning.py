"""Layers that depend on a condition: what they make of it, and that it reaches them, each sample's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import config
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.networks import (
    Conditioned,
    DCGANDiscriminator,
    DCGANGenerator,
    Discriminator,
    FastGANDiscriminator,
    FastGANGenerator,
    Generator,
    InfoGANDiscriminator,
    InfoGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    PooledDiscriminator,
    ResNetDiscriminator,
    ResNetGenerator,
    Sequential,
)
from gantrain.networks.conditional import ConditionalDiscriminator, ConditionalGenerator, Conditioning
from gantrain.networks.conditioning import ConditionalBatchNorm, ConditionalLayer, set_conditioned
from gantrain.turns import Batch, Samples

SHAPE = [1, 16, 16]
GENERATORS: dict[str, Callable[..., Generator]] = {
    "mlp": partial(MLPGenerator, SHAPE, hidden=[8, 8], norm="batch"),
    "dcgan": partial(DCGANGenerator, SHAPE, width=2, stem="linear"),
    "nearest": partial(DCGANGenerator, SHAPE, width=2, upsample="nearest"),
    "infogan": partial(InfoGANGenerator, SHAPE, hidden=8, width=2),
    "resnet": partial(ResNetGenerator, SHAPE, width=16),
    "fastgan": partial(FastGANGenerator, SHAPE, width=2, spectral_norm=False),
}
DISCRIMINATORS: dict[str, Callable[..., Discriminator]] = {
    "mlp": partial(MLPDiscriminator, hidden=[8, 8]),
    "dcgan": partial(DCGANDiscriminator, width=2, norm="none"),
    "infogan": partial(InfoGANDiscriminator, hidden=8, width=2, norm="none"),
    "pooled": partial(PooledDiscriminator, width=2, norm="none", dropout=0.0),
    "resnet": partial(ResNetDiscriminator, width=16, spectral_norm=False),
    "fastgan": partial(FastGANDiscriminator, width=2, norm="none", spectral_norm=False, discriminator="whole"),
}
WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def stirred(network: nn.Module) -> Any:
    """Away from initial gains, which are the same for all labels; in evaluation mode, where samples do not meet."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


# --- layers -----------------------------------------------------------------------------------------------------------


def test_conditional_batch_norm_has_a_gain_and_bias_per_label() -> None:
    norm = ConditionalBatchNorm(nn.BatchNorm2d(3), classes=2)
    with torch.no_grad():
        norm.gain.weight[1], norm.bias.weight[1] = 2.0, -1.0
    x = torch.randn(4, 3, 5, 5)
    plain = nn.BatchNorm2d(3)(x)
    out = norm(x, torch.tensor([0, 1, 0, 1]))
    torch.testing.assert_close(out[::2], plain[::2])
    torch.testing.assert_close(out[1::2], 2 * plain[1::2] - 1)


def test_a_conditional_layer_has_the_label_beside_its_input() -> None:
    """Li et al. 2017: the weights of [x, one-hot label] fall into those of x and those of the label."""
    layer = ConditionalLayer(inner := nn.Linear(3, 4), classes=5)
    label = torch.tensor([4, 0, 2])
    x = torch.randn(3, 3)
    whole = torch.cat([inner.weight, layer.of_label.weight.T], 1)
    beside = torch.cat([x, F.one_hot(label, 5).float()], 1)
    torch.testing.assert_close(layer(x, label), F.linear(beside, whole, inner.bias))


def test_only_what_takes_a_condition_is_given_it() -> None:
    class Shift(Conditioned):
        def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
            assert condition is not None
            return x + condition

    network = Sequential(nn.ReLU(), Sequential(Shift(), nn.Flatten()), Shift())
    assert network(torch.tensor([[-1.0], [2.0]]), torch.tensor([[5.0], [7.0]])).tolist() == [[10.0], [16.0]]


# --- networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("conditioning", ["projection", "every_layer"])
@pytest.mark.parametrize("kind", GENERATORS)
def test_every_layer_of_a_generator_follows_the_label_of_its_sample(kind: str, conditioning: Conditioning) -> None:
    torch.manual_seed(0)
    network = stirred(ConditionalGenerator(GENERATORS[kind], 6, 4, conditioning))
    layers = [m for m in network.modules() if isinstance(m, (ConditionalLayer, ConditionalBatchNorm))]
    plain = GENERATORS[kind](noise_dim=6)
    replaced = nn.modules.batchnorm._BatchNorm if conditioning == "projection" else WEIGHTED
    assert len(layers) == sum(isinstance(m, replaced) for m in plain.modules()) > 0
    noise, label = torch.randn(3, 6), torch.tensor([0, 1, 2])
    one, other = network(noise, label), network(noise, torch.tensor([0, 3, 2]))
    moved = (one - other).abs().flatten(1).amax(1)
    assert moved[1] > 1e-4
    assert moved[0] == moved[2] == 0
    tables = [m.of_label if isinstance(m, ConditionalLayer) else m.bias for m in layers]
    slopes = torch.autograd.grad(network(noise, label).square().sum(), [table.weight for table in tables])
    for slope in slopes:
        assert (slope[:3].abs().sum(1) > 0).all()
        assert not slope[3].any()


@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_every_layer_of_a_discriminator_follows_the_label_of_its_sample(kind: str) -> None:
    torch.manual_seed(0)
    network = stirred(ConditionalDiscriminator(DISCRIMINATORS[kind], SHAPE, 4, "every_layer"))
    x, label = torch.randn(3, *SHAPE), torch.tensor([0, 1, 2])
    tables = [m.of_label.weight for m in network.modules() if isinstance(m, ConditionalLayer)]
    assert len(tables) == sum(isinstance(m, WEIGHTED) for m in network.trunk.modules())
    features = network.score(x, label=label)[1]
    for slope in torch.autograd.grad(features.square().sum(), tables):
        assert (slope[:3].abs().sum(1) > 0).all()
        assert not slope[3].any()
    again = network.score(x, label=torch.tensor([0, 3, 2]))[1]
    assert torch.equal((again != features).any(1), torch.tensor([False, True, False]))


@pytest.mark.parametrize("words", [["networks@model=mlp"], ["networks@model=dcgan_small", "dataset=digits"]])
def test_every_layer_of_both_players_knows_the_label(words: list[str]) -> None:
    torch.manual_seed(0)
    game = build_game(config("dataset=ring8", "model=cgan", *words, "loss=r1", "model.conditioning=every_layer"))
    for player in ("generator", "discriminator.trunk"):
        network = game.get_submodule(player)
        layers = [name for name, m in network.named_modules() if isinstance(m, WEIGHTED)]
        assert layers
        assert all(name.endswith(".layer") for name in layers)
    latent = game.latents(4)
    again = {**latent, "label": (latent["label"] + 1) % game.classes}  # type: ignore[operator]
    made, others = (game.generate(Batch({}, given, torch.tensor(0)))["discriminator"] for given in (latent, again))
    assert not torch.allclose(made.x, others.x)
    one = game.score("discriminator", made, game.batch_at(0))
    other = game.score("discriminator", Samples(made.x, {"label": again["label"]}), game.batch_at(0))
    assert not torch.allclose(one.features, other.features)
    at_the_head = game.get_submodule("discriminator.of_label").weight  # type: ignore[union-attr]
    head = game.get_submodule("discriminator.head")
    rest = head(one.features).flatten() + at_the_head[latent["label"], 0]  # type: ignore[operator,index]
    torch.testing.assert_close(one.logits, rest)


@pytest.mark.parametrize("conditioning", ["projection", "every_layer"])
def test_conditional_networks_are_one_graph(conditioning: Conditioning) -> None:
    """Compiled whole, they give what they give in eager mode, for labels that come later too."""
    torch.manual_seed(0)
    generator = ConditionalGenerator(GENERATORS["resnet"], 6, 4, conditioning)
    discriminator = ConditionalDiscriminator(partial(ResNetDiscriminator, width=16), SHAPE, 4, conditioning)
    networks: list[tuple[nn.Module, Callable[..., Any], str]] = [
        (generator, generator.forward, "condition"),
        (discriminator, discriminator.score, "label"),
    ]
    x = [torch.randn(2, 6), torch.randn(2, *SHAPE)]
    for (network, call, name), inputs in zip(networks, x, strict=True):
        compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
        start = {key: values.clone() for key, values in network.state_dict().items()}
        for label in (torch.tensor([0, 1]), torch.tensor([3, 0])):
            found = compiled(inputs, **{name: label})
            network.load_state_dict(start)  # spectral norm steps in each forward
            wanted = call(inputs, **{name: label})
            network.load_state_dict(start)
            torch.testing.assert_close(found, wanted)


# --- networks of one's own --------------------------------------------------------------------------------------------


class Deaf(Generator):
    """A generator whose forward takes no condition."""

    def __init__(self, noise_dim: int) -> None:
        super().__init__()
        self.net = Sequential(nn.Linear(noise_dim, 2), nn.BatchNorm1d(2))

    def forward(self, noise: Tensor) -> Tensor:  # type: ignore[override]
        return self.net(noise)


def test_a_network_that_takes_no_condition_can_have_it_at_its_input_alone() -> None:
    noise, label = torch.randn(3, 4), torch.tensor([0, 1, 2])
    for beside in ("concat", "embedding"):
        assert ConditionalGenerator(Deaf, 4, 5, beside)(noise, label).shape == (3, 2)
    for inside in ("projection", "every_layer"):
        with pytest.raises(ValueError, match=r"Deaf around it takes none .* model.conditioning=concat"):
            ConditionalGenerator(Deaf, 4, 5, inside)


@pytest.mark.parametrize("around", [Sequential(nn.Sequential(nn.Linear(2, 2))), nn.ModuleList([nn.ReLU()])])
def test_a_condition_does_not_stop_on_its_way(around: nn.Module) -> None:
    name = "0.0" if isinstance(around, Sequential) else "0"
    with pytest.raises(ValueError, match=rf"the layer {name} cannot know the label"):
        set_conditioned(around, name, ConditionalLayer(nn.Linear(2, 2), 3))


def test_an_own_network_says_that_it_looks_at_images_as_vectors() -> None:
    class Sums(Discriminator):
        flat = True

        def __init__(self, shape: list[int]) -> None:
            super().__init__()
            size = shape[0] if len(shape) == 1 else 256
            self.trunk, self.head = Sequential(nn.Tanh(), nn.Flatten(), nn.Linear(size, 3)), nn.Linear(3, 1)

    network = ConditionalDiscriminator(Sums, SHAPE, 10, "concat")
    assert network.get_submodule("trunk.2").in_features == 256 + 10
    assert network(torch.randn(4, *SHAPE), label=torch.arange(4)).shape == (4,)
