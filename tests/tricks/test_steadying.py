"""What keeps a discriminator steady: averages of its logits, and augmentations that should not matter to it."""

from __future__ import annotations

import pytest
import torch
from bare import DISCRIMINATOR, GENERATOR, Bare, batch_of, context_of, scored
from conftest import config
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.tricks import Consistency, LeCam
from gantrain.turns import Samples

RING = ["dataset=ring8", "loss=nonsaturating"]


def lecam(game: Bare, real: list[float], fake: list[float], step: int) -> float:
    """The term of one turn with these logits."""
    context = context_of(game, scored(torch.tensor(real)), scored(torch.tensor(fake)), batch_of(step))
    term = game.tricks.terms(DISCRIMINATOR, context)["lecam"].item()
    game.tricks.after_update(DISCRIMINATOR, game, len(real))
    return term


def test_lecam_against_moving_averages_of_the_other_kind() -> None:
    """The averages begin as the first means, 1 and -2; after 4 and -½, with a decay of ¾, 1.75 and -1.625."""
    game = Bare(LeCam(weight=0.5, decay=0.75, start=0))
    lecam(game, [0.0, 2.0], [-2.0, -2.0], step=0)
    assert lecam(game, [3.0, 5.0], [0.0, -1.0], step=1) == pytest.approx(0.5 * ((25 + 49) / 2 + (1 + 4) / 2))
    assert lecam(game, [0.0], [0.0], step=2) == pytest.approx(0.5 * (1.625**2 + 1.75**2))


def test_lecam_lets_logits_be_that_are_on_the_other_kinds_side() -> None:
    """As the reference code has it: averages of ±1, and logits of -3 for real samples and 3 for fakes."""
    game = Bare(LeCam(weight=1.0, start=0))
    lecam(game, [1.0], [-1.0], step=0)
    assert lecam(game, [-3.0], [3.0], step=1) == 0
    game = Bare(LeCam(weight=1.0, start=0))
    lecam(game, [1.0], [-1.0], step=0)
    assert lecam(game, [3.0], [-3.0], step=1) == pytest.approx(2 * 16)


def test_the_parts_of_a_batch_are_one_turn_for_lecam() -> None:
    """Four parts with the means 0, 2, 4, 6 move an average as their whole does, to which none of them is compared."""
    game = Bare(LeCam(weight=1.0, decay=0.75, start=0))
    lecam(game, [7.0], [0.0], step=0)
    parts = [
        context_of(game, scored(torch.tensor([x])), scored(torch.tensor([x])), batch_of(1))
        for x in (0.0, 2.0, 4.0, 6.0)
    ]
    found = [game.tricks.terms(DISCRIMINATOR, part)["lecam"].item() for part in parts]
    assert found == pytest.approx([x**2 + (7 - x) ** 2 for x in (0, 2, 4, 6)])
    game.tricks.after_update(DISCRIMINATOR, game, 4)
    held = game.tricks["trick"].state_dict()
    assert held["real_discriminator"].item() == pytest.approx(7 * 0.75 + 3 * 0.25)
    assert held["fake_discriminator"].item() == pytest.approx(3 * 0.25)


def test_lecam_waits_while_its_averages_settle() -> None:
    game = Bare(LeCam(decay=0.0, start=3))
    for step in range(3):
        assert lecam(game, [7.0], [1.0], step) == 0
    assert lecam(game, [7.0], [1.0], step=3) == pytest.approx(0.3 * (36 + 36))


def test_lecam_pulls_logits_and_not_averages() -> None:
    game = Bare(LeCam(weight=1.0, start=0))
    lecam(game, [1.0], [-1.0], step=0)
    real, fake = torch.tensor([2.0], requires_grad=True), torch.tensor([-3.0], requires_grad=True)
    context = context_of(game, scored(real), scored(fake), batch_of(1))
    slopes = torch.autograd.grad(game.tricks.terms(DISCRIMINATOR, context)["lecam"], [real, fake])
    assert [s.item() for s in slopes] == pytest.approx([2 * (2 + 1), -2 * (1 + 3)])
    assert game.tricks.terms(GENERATOR, context) == {}


def changed(trick: Consistency, game: Bare, real: Tensor, fake: Tensor) -> float:
    """The term for these samples."""
    scores = [game.score("discriminator", Samples(x), batch_of()) for x in (real, fake)]
    return trick.terms(DISCRIMINATOR, context_of(game, *scores))["consistency"].item()


def test_a_constant_discriminator_is_consistent() -> None:
    x = torch.randn(4, 1, 8, 8)
    for trick in (Consistency(fake_weight=5.0, augment="shift_flip"), Consistency(fake_weight=5.0, augment="noise")):
        assert changed(trick, Bare(trick, lambda x: 0 * x.flatten(1).sum(1) + 3), x, x) == 0


@pytest.mark.parametrize(("weight", "fake_weight"), [(10.0, 0.0), (10.0, 4.0), (0.0, 4.0)])
def test_consistency_of_known_discriminators(weight: float, fake_weight: float) -> None:
    """w·x changes by w·n with noise n, σ²‖w‖² in the mean; left minus right changes by twice itself when mirrored."""
    torch.manual_seed(0)
    w = torch.tensor([1.0, -2.0, 2.0])
    trick = Consistency(weight, fake_weight, "noise", std=0.1)
    points = torch.randn(40_000, 3)
    found = changed(trick, Bare(trick, lambda x: x @ w), points, points)
    assert found == pytest.approx((weight + fake_weight) * 0.01 * 9, rel=0.03)

    trick = Consistency(weight, fake_weight, "shift_flip", shift=0)
    game = Bare(trick, lambda x: x[..., :4].mean((1, 2, 3)) - x[..., 4:].mean((1, 2, 3)))
    pictures = torch.ones(10_000, 1, 2, 8)
    pictures[..., 4:] = -1  # D says 2, and -2 to half of them when mirrored
    found = changed(trick, game, pictures, -2 * pictures)
    assert found == pytest.approx(weight * 0.5 * 4**2 + fake_weight * 0.5 * 8**2, rel=0.04)


def test_consistency_is_the_discriminators_affair_and_adds_noise_to_numbers() -> None:
    trick = Consistency()
    seen = scored(torch.zeros(2))
    assert trick.terms(GENERATOR, context_of(Bare(trick), seen, seen)) == {}
    assert config(*RING, "tricks=[consistency]").tricks.consistency.augment == "noise"
    assert config("dataset=digits", "tricks=[consistency]").tricks.consistency.augment == "shift_flip"
    for words in ([*RING, "tricks.consistency.augment=shift_flip"], ["tricks.consistency.shift=16"]):
        with pytest.raises(UserError, match="consistency can shift only pictures"):
            build_game(config("tricks=[consistency]", *words))


def test_consistency_moves_the_discriminator_at_both_its_looks() -> None:
    """λ·(D(x) - D(T(x)))² pulls on the logit before the augmentation too (the reference code takes both gradients)."""
    trick = Consistency(weight=5.0, augment="noise")
    before = torch.tensor([3.0, 1.0], requires_grad=True)
    after = torch.tensor([1.0, 1.5], requires_grad=True)
    game = Bare(trick, lambda x: after)
    slopes = torch.autograd.grad(
        trick.terms(DISCRIMINATOR, context_of(game, scored(before), scored(before.detach())))["consistency"],
        [before, after],
    )
    torch.testing.assert_close(slopes[0], 5 * (before - after).detach())  # 5 · 2 · (difference) / 2 samples
    torch.testing.assert_close(slopes[1], -slopes[0])
