"""Loss terms that tricks add or put in the place of others, against their equations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from bare import DISCRIMINATOR, GENERATOR, Bare, batch_of, context_of, scored
from conftest import config, round_of
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.training.rounds import Progress
from gantrain.tricks import (
    Consistency,
    FeatureMatching,
    LeCam,
    ModeSeeking,
    Orthogonal,
    SpectralNorm,
    Trick,
    WeightRegularisation,
)
from gantrain.turns import Batch, Samples

RING = ["dataset=ring8", "loss=nonsaturating", "trainer.batch_size=8"]


def test_feature_matching_by_hand() -> None:
    """Means (2, 0) and (0, 1) are √5 apart."""
    trick = FeatureMatching(weight=3.0)
    real, fake = torch.tensor([[1.0, 1.0], [3.0, -1.0]]), torch.tensor([[5.0, 1.0], [-5.0, 1.0]]).requires_grad_(True)
    logits = torch.zeros(2)
    context = context_of(Bare(trick), scored(logits, real), scored(logits, fake))
    term = trick.terms(GENERATOR, context)["feature_matching"]
    assert term.item() == pytest.approx(3 * 5)
    (slope,) = torch.autograd.grad(term, [fake])
    torch.testing.assert_close(slope, torch.tensor([[-6.0, 3.0], [-6.0, 3.0]]))  # 3 · 2 · (mean - mean) / 2
    assert trick.terms(DISCRIMINATOR, context) == {}


def test_feature_matching_is_the_mean_over_discriminators() -> None:
    """As the adversarial term that it replaces: twice the same discriminator is that discriminator."""
    trick = FeatureMatching()
    features = [torch.randn(4, 3) for _ in range(2)]
    one = context_of(Bare(trick), *(scored(torch.zeros(4), x) for x in features))
    (comparison,) = one.comparisons.values()
    two = replace(one, comparisons={"discriminator_0": comparison, "discriminator_1": comparison})
    once, twice = (trick.terms(GENERATOR, context)["feature_matching"] for context in (one, two))
    torch.testing.assert_close(once, twice)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tricks=[feature_matching]"], "compares means of the whole batch"),
        (["loss=ragan"], "compares means of the whole batch"),
        (["tricks=[topk]"], "takes the best of the whole batch"),
        (["tricks=[unrolled]"], "moves the discriminator on the whole batch"),
        (["model=gman", "networks@model=mlp"], "weighs losses of the whole batch"),
        (["model=triplegan", "networks@model=mlp", "model.balance=0.1"], "the mean of the whole batch"),
    ],
)
def test_what_looks_at_the_whole_batch_is_not_played_in_parts(words: list[str], sentence: str) -> None:
    """Their value over a batch is no mean of their values over its parts, so that the gradient would be another."""
    build_game(config(*RING, *words))
    with pytest.raises(UserError, match=sentence + r".*, but trainer\.accumulate=4 plays it in parts"):
        build_game(config(*RING, *words, "trainer.accumulate=4"))


@pytest.mark.parametrize("kept", [False, True])
def test_feature_matching_takes_the_place_of_the_adversarial_term(kept: bool) -> None:
    words = ["tricks=[feature_matching]", f"tricks.feature_matching.adversarial={kept}"]
    game, plain = build_game(config(*RING, *words)), build_game(config(*RING, "tricks=[]"))
    batch = Batch({"real": torch.randn(8, 2)}, game.latents(8), torch.tensor(0))
    terms, without = (g.terms("generator", batch)["adversarial"] for g in (game, plain))
    torch.testing.assert_close(terms, without if kept else torch.zeros(()))
    total = torch.stack(list(game.terms("generator", batch).values())).sum()
    trunk = game.get_submodule("discriminator.trunk")
    real, fake = (trunk(inputs["discriminator"].x) for inputs in (game.real(batch), game.generate(batch)))
    matching = (real.mean(0) - fake.mean(0)).square().sum()
    torch.testing.assert_close(total, matching + without if kept else matching)
    own, others = game.terms("discriminator", batch), plain.terms("discriminator", batch)
    assert own.keys() == others.keys() == {"adversarial"}
    torch.testing.assert_close(own["adversarial"], others["adversarial"])


def test_feature_matching_moves_the_generator_only() -> None:
    rounds, progress = round_of(*RING, "tricks=[feature_matching]"), Progress()
    turn = next(turn for turn in rounds.game.turns if turn.player == "generator")
    before = {name: [p.clone() for p in player.parameters] for name, player in rounds.learners.items()}
    rounds.turn(turn, 0, progress, observe=True)
    assert all(p.grad is None for p in rounds.learners["discriminator"].parameters)
    moved = {
        name: any(not torch.equal(a, b) for a, b in zip(before[name], player.parameters, strict=True))
        for name, player in rounds.learners.items()
    }
    assert moved == {"discriminator": False, "generator": True}


def test_two_that_replace_the_same_term_are_refused() -> None:
    with pytest.raises(UserError, match="feature_matching and unrolled both replace generator/adversarial"):
        build_game(config(*RING, "tricks=[feature_matching,unrolled]"))
    build_game(config(*RING, "tricks=[feature_matching,unrolled]", "tricks.feature_matching.adversarial=true"))


class Numbers(nn.Module):
    """Layers of every kind, wide and tall."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.tall = nn.Linear(7, 3), nn.Linear(3, 7)
        self.norm = nn.BatchNorm2d(5)
        self.conv, self.tall_conv = nn.Conv2d(5, 4, 3), nn.Conv2d(1, 9, 2)
        self.transposed, self.tall_transposed = nn.ConvTranspose2d(6, 4, 3), nn.ConvTranspose2d(2, 9, 1)


def off_diagonal_energy(layer: nn.Module, weight: Tensor) -> float:
    """‖WWᵀ ⊙ (1 - I)‖² over pairs of filters, by their inner products."""
    filters = weight.unbind(1 if isinstance(layer, nn.ConvTranspose2d) else 0)
    pairs = [(a, b) for i, a in enumerate(filters) for j, b in enumerate(filters) if i != j]
    return sum((a * b).sum().item() ** 2 for a, b in pairs)


@pytest.mark.parametrize("normalised", [False, True])
def test_orthogonal_equals_the_direct_formula(normalised: bool) -> None:
    """Spectrally normalised layers pay for the weights that move."""
    network = Numbers()
    game = Bare(SpectralNorm(generator=True) if normalised else None, generator=network, discriminator=nn.Linear(3, 3))
    layers = [m for m in network.children() if not isinstance(m, nn.BatchNorm2d)]
    weights = [m.get_parameter("parametrizations.weight.original" if normalised else "weight") for m in layers]
    wanted = 0.5 * math.fsum(off_diagonal_energy(m, w) for m, w in zip(layers, weights, strict=True))
    trick = Orthogonal(weight=0.5)
    term = trick.terms(GENERATOR, context_of(game))["orthogonal"]
    assert term.item() == pytest.approx(wanted, rel=1e-5)
    assert all(s.abs().max() > 0 for s in torch.autograd.grad(term, weights))
    assert trick.terms(DISCRIMINATOR, context_of(game)) == {}


def test_orthogonal_filters_of_any_length_pay_nothing() -> None:
    layer = nn.Linear(6, 4)
    nn.init.orthogonal_(layer.weight)
    layer.weight.data *= torch.tensor([[1.0], [2.0], [0.5], [3.0]])
    for trick, player in (
        (Orthogonal(1.0), GENERATOR),
        (Orthogonal(1.0, players=["discriminator"]), DISCRIMINATOR),
    ):
        game = Bare(generator=layer, discriminator=layer)
        assert trick.terms(player, context_of(game))["orthogonal"].item() == pytest.approx(0, abs=1e-4)


def mode_seeking(made: Tensor, noise: Tensor) -> float:
    trick = ModeSeeking(weight=2.0)
    return trick.terms(GENERATOR, context_of(Bare(trick), batch=batch_of(noise=noise), made=made))[
        "mode_seeking"
    ].item()


def test_mode_seeking_by_hand_and_less_for_more_diverse_samples() -> None:
    """Pairs (0, 2) and (1, 3) of noise at distances 1 and 3, of samples at 4 and 0: λ · 2 / 2."""
    noise = torch.tensor([[0.0], [1.0], [1.0], [4.0]])
    made = torch.tensor([[1.0], [5.0], [-3.0], [5.0]])
    assert mode_seeking(made, noise) == pytest.approx(2.0, rel=1e-4)
    assert mode_seeking(4 * made, noise) == pytest.approx(0.5, rel=1e-4)
    assert mode_seeking(0 * made, noise) == pytest.approx(2e5), "collapse is costly and finite"
    with pytest.raises(UserError, match="mode_seeking pairs samples, and 7 is odd"):
        build_game(config(*RING, "tricks=[mode_seeking]", "trainer.batch_size=7"))


def test_mode_seeking_drives_samples_apart() -> None:
    made = torch.tensor([[0.0], [0.0], [1.0], [-2.0]], requires_grad=True)
    trick = ModeSeeking()
    context = context_of(Bare(trick), batch=batch_of(noise=torch.randn(4, 3)), made=made)
    (slope,) = torch.autograd.grad(trick.terms(GENERATOR, context)["mode_seeking"], [made])
    assert slope.sign().flatten().tolist() == [1, -1, -1, 1], "the step goes against it"
    assert trick.terms(DISCRIMINATOR, context) == {}


def test_weights_by_hand_and_biases_free() -> None:
    linear, norm = nn.Linear(2, 2), nn.BatchNorm1d(2)
    judge = nn.Conv2d(1, 1, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0, -2.0], [3.0, 0.0]]))
        judge.weight.copy_(torch.tensor([[[[1.0, 1.0], [-1.0, 0.5]]]]))
        for free in (linear.bias, norm.weight, norm.bias, judge.bias):
            assert isinstance(free, Tensor)
            free.fill_(100.0)
    trick = WeightRegularisation(
        l1={"generator": 0.5}, l2={"generator": 0.1, "discriminator": 2.0, "discriminator_3": 1}
    )
    game = Bare(
        trick, generator=nn.Sequential(linear, norm), discriminator=judge, discriminator_2=judge, discriminator_3=judge
    )

    def terms(player: str) -> dict[str, float]:
        return {name: value.item() for name, value in trick.terms(game.player(player), context_of(game)).items()}

    assert terms("generator") == pytest.approx({"l1": 0.5 * 6, "l2": 0.1 * 14})
    assert terms("discriminator") == terms("discriminator_2") == pytest.approx({"l2": 2 * 3.25})
    assert terms("discriminator_3") == pytest.approx({"l2": 3.25})


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        (FeatureMatching, {"weight": 0.0}), (LeCam, {"weight": -1.0}), (LeCam, {"decay": 1.0}),
        (Consistency, {"std": -1.0}), (Orthogonal, {"weight": -1.0}), (ModeSeeking, {"weight": -1.0}),
        (WeightRegularisation, {"l2": {"generator": -1.0}}),
    ],
)  # fmt: skip
def test_settings_are_checked(kind: type[Trick], setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        kind(**setting)


class Labelled(Bare):
    """A generator that puts each class far from the others."""

    labelled = True

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        label, noise = batch.latent["label"], batch.latent["noise"]
        return self.to_each(Samples(1000.0 * label[:, None] + 3 * noise, {"label": label}))


def test_mode_seeking_compares_samples_of_one_label() -> None:
    """G(z, y) = 1000·y + 3·z: for the same label samples are three times as far apart as their noise, whatever y."""
    trick = ModeSeeking(weight=6.0)
    game = Labelled(trick)
    batch = batch_of(noise=torch.randn(6, 2), label=torch.arange(6))
    context = context_of(game, batch=batch, made=game.generate(batch)["discriminator"].x)
    assert trick.terms(GENERATOR, context)["mode_seeking"].item() == pytest.approx(2.0, rel=1e-3)
