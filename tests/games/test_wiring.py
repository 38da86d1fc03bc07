"""Who sees which samples in whose turn, with which labels, how much they count, and what a gradient runs through."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from conftest import round_of
from small import TINY, fakes_of, game_of, ring
from torch import Tensor

from gantrain.errors import UserError
from gantrain.games import Conditional, Game, SemiSupervised, TripleGAN
from gantrain.tricks import Trick
from gantrain.turns import Batch, Samples


class Shift(Trick):
    """A view that nobody can overlook."""

    def augment(self, x: Tensor, batch: Batch) -> Tensor:
        return x + 10.0


def playing(*words: str) -> Game:
    """A game that has begun, so that it holds what it keeps of the data."""
    return round_of(*TINY, *words).game


def judged(game: Game, batch: Batch, player: str = "discriminator") -> tuple[Samples, Samples]:
    """Real and fake samples as the discriminator judged them in its turn."""
    comparison = game.discriminator_turn(player, game.generate(batch)[player], batch).comparisons[player]
    assert comparison.real is not None
    return comparison.real.samples, comparison.fake.samples


def pairs_of(samples: Samples) -> set[tuple[float, ...]]:
    return {(*x, y) for x, y in zip(samples.x.tolist(), samples.conditions["label"].tolist(), strict=True)}


# --- labels ---------------------------------------------------------------------------------------------------------


def test_a_mismatched_label_is_any_but_the_right_one() -> None:
    """Reed et al. 2016: real samples with wrong labels, of which each is as likely as the others."""
    game = game_of(*TINY, "model=cgan", "model.conditioning=concat", "model.mismatched=0.75")
    assert isinstance(game, Conditional)
    batch = ring(game, 4000)
    mixed = game.with_mismatched("discriminator", fakes_of(game, batch), batch)
    off = (mixed.conditions["label"][:3000] - batch.data["label"][:3000]) % 8
    counts = off.bincount(minlength=8).tolist()
    assert counts[0] == 0
    assert min(counts[1:]) > 3000 / 7 * 0.8
    torch.testing.assert_close(mixed.x[:3000], batch.data["real"][:3000])
    assert torch.equal(mixed.conditions["label"][3000:], batch.latent["label"][3000:])


@pytest.mark.parametrize("model", ["sgan", "triplegan"])
def test_the_few_labels_are_those_of_their_samples(model: str) -> None:
    """The first samples of each class in the run's order, each with its own label."""
    game = game_of(*TINY, f"model={model}", "model.labels_per_class=3")
    assert isinstance(game, (SemiSupervised, TripleGAN))
    x, labels = torch.randn(200, 2), torch.randint(8, (200,))

    def draw(n: int, position: int = 0) -> Batch:
        part = slice(position, position + n)
        return Batch({"real": x[part], "label": labels[part]}, {}, torch.zeros(()))

    game.begin(draw, len(x))
    for label in range(8):
        assert torch.equal(game.labelled_samples[game.labelled_labels == label], x[labels == label][:3])


def test_some_labelled_samples_are_drawn_with_their_labels() -> None:
    game = playing("model=triplegan", "model.labels_per_class=2")
    assert isinstance(game, TripleGAN)
    label_of = {tuple(x): y for x, y in zip(game.labelled_samples.tolist(), game.labelled_labels.tolist(), strict=True)}
    drawn = game.some_labelled(2000)
    found = [tuple(x) for x in drawn.x.tolist()]
    assert [label_of[x] for x in found] == drawn.conditions["label"].tolist()
    assert len(set(found)) == 16
    assert min(Counter(found).values()) > 2000 / 16 * 0.6


def test_labelled_samples_are_seen_under_the_same_views_as_all_others() -> None:
    game = playing("model=sgan", "model.labels_per_class=2")
    assert isinstance(game, SemiSupervised)
    batch = ring(game)
    game.tricks.setup(game, {"shift": Shift()})
    torch.manual_seed(5)
    found = game.terms("discriminator", batch)["supervised"]
    torch.manual_seed(5)
    labelled = game.some_labelled(16)
    torch.testing.assert_close(found, F.cross_entropy(game.classify(labelled.x + 10), labelled.conditions["label"]))


# --- Triple-GAN -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "slopes"),
    [("minimax", [-0.1054, -0.6931, -2.3026]), ("nonsaturating", [2.3026, 0.6931, 0.1054])],
)
@pytest.mark.parametrize("alpha", [0.25, 0.75])
def test_what_the_classifiers_labels_cost_it(kind: str, slopes: list[float], alpha: float) -> None:
    """The slope in p of α·p·log(1 - D) (Li et al. 2017, equation 2), or of -α·p·log D, where D is 0.1, 0.5 and 0.9."""
    words = [f"model.classifier_loss={kind}", f"model.alpha={alpha}"]
    game = playing("model=triplegan", "model.labels_per_class=2", *words)
    head = game.get_submodule("discriminator.head")
    batch = ring(game)
    weights = list(game.get_submodule("classifier").parameters())
    for probability, slope in zip((0.1, 0.5, 0.9), slopes, strict=True):
        torch.nn.init.zeros_(head.weight)  # type: ignore[arg-type]
        torch.nn.init.constant_(head.bias, math.log(probability / (1 - probability)))  # type: ignore[arg-type]
        found = torch.autograd.grad(game.terms("classifier", batch)["adversarial"], weights)
        sure = game.classify(batch.data["real"]).softmax(1).max(1).values.mean()
        wanted = torch.autograd.grad(alpha * slope * sure, weights)
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


def test_shares_of_the_classifiers_pairs() -> None:
    """A quarter of the fakes and three quarters of the real pairs are C's, and no sample is in both."""
    words = ["model.labels_per_class=2", "model.alpha=0.25", "model.pseudo_real=0.75"]
    game = playing("model=triplegan", *words)
    assert isinstance(game, TripleGAN)
    batch = ring(game)
    x, made = batch.data["real"], fakes_of(game, batch)
    real, fake = judged(game, batch)
    named = pairs_of(Samples(x, {"label": game.classify(x).argmax(1)}))
    kept = pairs_of(Samples(game.labelled_samples, {"label": game.labelled_labels}))
    assert len(pairs_of(fake) & named) == 4
    assert len(pairs_of(fake) & pairs_of(made)) == 12
    assert len(pairs_of(real) & named) == 12
    assert pairs_of(real) <= named | kept
    assert not pairs_of(real) & pairs_of(fake)


@pytest.mark.parametrize(("alpha", "pseudo_real"), [(0.5, 0.99), (0.75, 0.5)])
def test_pairs_that_would_be_real_and_fake_are_refused(alpha: float, pseudo_real: float) -> None:
    with pytest.raises(UserError, match=r"real and as fake in one turn: set model\.alpha and model\.pseudo_real"):
        game_of(*TINY, "model=triplegan", f"model.alpha={alpha}", f"model.pseudo_real={pseudo_real}")


def test_the_classifiers_pairs_are_judged_under_the_views_of_all_others() -> None:
    game = playing("model=triplegan", "model.labels_per_class=2")
    assert isinstance(game, TripleGAN)
    batch = ring(game)
    plain = batch.data["real"]
    game.tricks.setup(game, {"shift": Shift()})
    chances = game.classify(plain).softmax(1).max(1)
    viewed = game.score("discriminator", Samples(plain + 10, {"label": chances.indices}), batch).logits
    wanted = 0.5 * (chances.values * torch.log(1 - viewed.sigmoid())).mean()
    torch.testing.assert_close(game.terms("classifier", batch)["adversarial"], wanted)


def test_triplegans_generator_plays_for_its_own_samples_alone() -> None:
    game = playing("model=triplegan", "model.labels_per_class=2", "model.pseudo_start=0")
    batch = ring(game)
    terms = game.terms("generator", batch)
    assert terms.keys() == {"adversarial"}
    wanted = F.softplus(-game.score("discriminator", fakes_of(game, batch), batch).logits).mean()
    torch.testing.assert_close(terms["adversarial"], wanted)


def test_the_test_error_is_that_of_the_averaged_classifier() -> None:
    words = ["model=triplegan", "model.labels_per_class=2", "tricks=[ema]", "tricks.ema.players=[classifier]"]
    game = playing(*words)
    assert isinstance(game, TripleGAN)
    assert list(game.averages) == ["classifier"]
    with torch.no_grad():
        for parameter in game.averages["classifier"].parameters():
            parameter.zero_()
    x = torch.randn(5, 2)
    assert (game.classify(x) == 0).all()
    assert (game.classifier(x) != 0).any()
