"""Tricks on what a loss is shown: flipped labels and the best fakes only."""

from __future__ import annotations

import math

import pytest
import torch
from bare import DISCRIMINATOR, GENERATOR, Bare, batch_of
from conftest import config
from torch import Tensor, nn

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.losses import LeastSquares, RelativisticPaired
from gantrain.tricks import LabelFlipping, TopK
from gantrain.turns import Batch, LossInputs, TurnPlan

MANY = 20_000


def targets(game: Game, logits: Tensor) -> tuple[Tensor, Tensor]:
    """What the discriminator is told about real and fake samples with these logits."""
    seen = game.tricks.targets(DISCRIMINATOR, LossInputs(real=logits, fake=logits), batch_of())
    assert isinstance(seen.real_target, Tensor)
    assert isinstance(seen.fake_target, Tensor)
    return seen.real_target, seen.fake_target


def test_a_share_of_the_labels_is_flipped_both_ways() -> None:
    torch.manual_seed(0)
    real, fake = targets(Bare(LabelFlipping(0.05)), torch.zeros(MANY))
    assert set(real.tolist()) == set(fake.tolist()) == {0.0, 1.0}
    assert (real == 0).float().mean().item() == pytest.approx(0.05, abs=0.007)  # 4 standard deviations
    assert (fake == 1).float().mean().item() == pytest.approx(0.05, abs=0.007)
    assert ((real == 0) & (fake == 1)).float().mean().item() == pytest.approx(0.05**2, abs=0.0015)


def test_flipped_labels_are_those_of_the_loss() -> None:
    torch.manual_seed(0)
    real, fake = targets(Bare(LabelFlipping(0.3), loss=LeastSquares(a=-1.0, b=2.0)), torch.zeros(100))
    assert set(real.tolist()) == set(fake.tolist()) == {-1.0, 2.0}
    assert (real == 2).sum() > 50
    assert (fake == -1).sum() > 50


def test_all_patches_of_a_sample_get_its_label() -> None:
    for target in targets(Bare(LabelFlipping(0.3)), torch.zeros(100, 9)):
        assert target.shape == (100, 9)
        assert torch.equal(target, target[:, :1].expand(-1, 9))
        assert 0 < target.mean() < 1


def test_the_generator_is_never_told_a_wrong_label() -> None:
    seen = LossInputs(fake=torch.zeros(100), real=torch.zeros(100))
    for trick in (LabelFlipping(0.4), TopK(gamma=1.0)):
        found = Bare(trick).tricks.targets(GENERATOR, seen, batch_of())
        assert (found.real_target, found.fake_target) == (None, None)


@pytest.mark.parametrize("names", ["[label_smoothing,label_flipping]", "[label_flipping,label_smoothing]"])
def test_flipping_and_smoothing_in_either_order(names: str) -> None:
    """Only what is still called real is smoothed. With every logit b, D's loss is 2·softplus(b) - b·(E r + E f)."""
    torch.manual_seed(0)
    words = ["dataset=ring8", "loss=nonsaturating", f"tricks={names}", "tricks.label_flipping.share=0.25"]
    game = build_game(config(*words))
    real, fake = targets(game, torch.zeros(MANY))
    assert sorted(set(real.tolist())) == pytest.approx([0.0, 0.9])
    assert sorted(set(fake.tolist())) == [0.0, 1.0]
    assert (real == 0).float().mean().item() == pytest.approx(0.25, abs=0.013)
    assert (fake == 1).float().mean().item() == pytest.approx(0.25, abs=0.013)
    head = game.get_submodule("discriminator.head")
    assert isinstance(head, nn.Linear)
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, 1.5)
    batch = Batch({"real": torch.randn(MANY, 2)}, game.latents(MANY), torch.zeros(()))
    term = game.terms("discriminator", batch)["adversarial"].item()
    assert term == pytest.approx(2 * math.log(1 + math.exp(1.5)) - 1.5 * (0.75 * 0.9 + 0.25), abs=0.03)


@pytest.mark.parametrize("share", [-0.01, 0.5, 1.0])
def test_a_share_from_which_labels_say_the_opposite_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"share must be (0 or more|less than 0\.5)"):
        LabelFlipping(share)


def test_flipping_needs_a_loss_with_targets() -> None:
    with pytest.raises(UserError, match="label_flipping needs a loss with targets"):
        build_game(config("dataset=ring8", "loss=hinge", "tricks=[label_flipping]"))


def best_of(game: Game, fake: Tensor, played: int, real: Tensor | None = None) -> LossInputs:
    batch = batch_of(plan=game.plan("generator", played))
    return game.tricks.targets(GENERATOR, LossInputs(fake=fake, real=real), batch)


def test_k_starts_at_the_batch_shrinks_and_stops_at_the_floor() -> None:
    game = Bare(TopK(gamma=0.5, every=2, floor=0.2))
    logits = torch.randperm(16).float()
    sizes = [len(best_of(game, logits, played).fake) for played in range(8)]
    assert sizes == [16, 16, 8, 8, 4, 4, 3, 3]  # a fifth of 16 is 3.2
    paper = Bare(TopK())
    assert [len(best_of(paper, torch.zeros(100), k).fake) for k in (0, 99, 100, 200, 100_000)] == [100, 100, 99, 98, 50]


def test_the_generator_learns_from_what_the_discriminator_likes_best() -> None:
    game = Bare(TopK(gamma=0.5, every=1, floor=0.5))
    fake = torch.tensor([3.0, -1.0, 7.0, 0.0], requires_grad=True)
    best = best_of(game, fake, played=1).fake
    assert sorted(best.tolist()) == [3.0, 7.0]
    game.loss.adversarial.generator(best).backward()
    assert fake.grad is not None
    assert (fake.grad != 0).tolist() == [True, False, True, False]


def test_the_best_patches_are_those_of_the_best_samples() -> None:
    logits = torch.tensor([[9.0, -9.0], [2.0, 2.0], [1.0, 0.0], [3.0, 4.0]])
    best = best_of(Bare(TopK(gamma=0.5, every=1)), logits, played=1).fake
    assert sorted(best.tolist()) == [[2.0, 2.0], [3.0, 4.0]]


def test_relativistic_pairs_stay_pairs() -> None:
    fake = torch.randn(10)
    seen = best_of(Bare(TopK(gamma=0.5, every=1), loss=RelativisticPaired()), fake, played=1, real=fake + 100)
    assert seen.real is not None
    torch.testing.assert_close(seen.real, seen.fake + 100)


def test_the_discriminators_turn_sees_every_fake() -> None:
    game = Bare(TopK(gamma=0.5, every=1))
    assert game.plan("discriminator", 50) == TurnPlan()
    seen = LossInputs(fake=torch.randn(8), real=torch.randn(8))
    assert game.tricks.targets(DISCRIMINATOR, seen, batch_of(plan=game.plan("generator", 50))) is seen


@pytest.mark.parametrize("setting", [{"gamma": 0.0}, {"gamma": 1.1}, {"floor": 0.0}, {"floor": 1.5}, {"every": 0}])
def test_settings_of_topk_are_checked(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        TopK(**setting)  # type: ignore[arg-type]
