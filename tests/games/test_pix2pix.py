"""pix2pix: its loss terms, what its players are shown, and how it goes with every loss and trick."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import config, round_of
from omegaconf import OmegaConf
from playing import LOSSES, check_turns, mostly_slow, small_round
from small import game_of
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.commands.sampling import side_by_side
from gantrain.errors import UserError
from gantrain.games import Game, Pix2Pix, Request
from gantrain.options import CONFIGS
from gantrain.turns import Batch, TurnPlan

SMALL = ["dataset=digits_pairs", "dataset.image_size=8", "dataset.held_out=0", "tricks=[]"]
SMALL += ["model.generator.width=2", "model.generator.noise=false", "model.discriminator.width=2"]
LEFT_OUT = {
    "packing": "a label or code of its own",
    "minibatch_tutorial": "stands before a linear layer",
    "minibatch_discrimination": "stands before a linear layer",
    "mode_seeking": "no generator takes any here",
    "virtual_batch_norm": r"batch norm, which \w+ has not: set",
    "reference_batch_norm": r"batch norm, which \w+ has not: set",
}
"""Tricks that do not go with it, and why."""
TRICKS = sorted(file.stem for file in (CONFIGS / "tricks").glob("*.yaml"))


def pairs(n: int = 6) -> Batch:
    torch.manual_seed(1)
    data = {"real": torch.rand(n, 1, 8, 8) * 2 - 1, "input": torch.rand(n, 1, 8, 8) * 2 - 1}
    return Batch(data, {}, torch.zeros(()), TurnPlan())


def pix2pix(*words: str) -> Pix2Pix:
    game = game_of(*SMALL, *words)
    assert isinstance(game, Pix2Pix)
    return game.eval()


def terms(game: Game, player: str) -> dict[str, Tensor]:
    return {name: term.detach() for name, term in game.terms(player, pairs()).items()}


def logits_of(game: Pix2Pix, x: Tensor, y: Tensor) -> Tensor:
    """Of patches of both pictures of a pair, from the discriminator's own layers."""
    network = game.discriminator
    return network.head(network.trunk(torch.cat([y, x], 1))).flatten(1)


def test_the_papers_terms() -> None:
    """G: log-likelihood of being called real, and 100 E|y - G(x)| (equation 4); D: half of the sum of both errors."""
    game, data = pix2pix("loss=nonsaturating"), pairs().data
    x, y = data["input"], data["real"]
    with torch.no_grad():
        made = game.generator(x)
        real, fake = logits_of(game, x, y), logits_of(game, x, made)
    one, zero = torch.ones_like(real), torch.zeros_like(real)
    cross_entropy = F.binary_cross_entropy_with_logits
    expected = (cross_entropy(real, one) + cross_entropy(fake, zero)) / 2
    torch.testing.assert_close(terms(game, "discriminator"), {"adversarial": expected})
    likelihood = cross_entropy(fake, one)
    torch.testing.assert_close(terms(game, "generator"), {"adversarial": likelihood, "l1": 100 * F.l1_loss(made, y)})


def test_weights_and_least_squares() -> None:
    words = ["loss=lsgan", "model.l1=7", "model.weight=3", "model.discriminator_weight=1"]
    game, data = pix2pix(*words), pairs().data
    with torch.no_grad():
        made = game.generator(data["input"])
        real, fake = (logits_of(game, data["input"], y) for y in (data["real"], made))
    expected = ((real - 1).square().mean() + fake.square().mean()) / 2
    torch.testing.assert_close(terms(game, "discriminator")["adversarial"], expected)
    torch.testing.assert_close(terms(game, "generator")["adversarial"], 3 * (fake - 1).square().mean() / 2)
    torch.testing.assert_close(terms(game, "generator")["l1"], 7 * (made - data["real"]).abs().mean())


def test_a_discriminator_that_is_not_shown_what_was_given() -> None:
    game, batch = pix2pix("model.conditional=false"), pairs()
    moved = Batch({**batch.data, "input": batch.data["input"].flip(0)}, {}, batch.step, batch.plan)
    scores = [game.score("discriminator", game.real(at)["discriminator"], at).logits for at in (batch, moved)]
    assert torch.equal(*scores)
    told = pix2pix()
    scores = [told.score("discriminator", told.real(at)["discriminator"], at).logits for at in (batch, moved)]
    assert not torch.equal(*scores)


def test_the_distance_alone_has_no_discriminators_turn() -> None:
    game = pix2pix("model.weight=0")
    assert [turn.player for turn in game.turns] == ["generator"]
    assert set(terms(game, "generator")) == {"l1"}
    assert set(terms(pix2pix("model.l1=0"), "generator")) == {"adversarial"}
    with pytest.raises(UserError, match="leave nothing to learn"):
        pix2pix("model.l1=0", "model.weight=0")


def test_pictures_show_what_is_given_made_and_true() -> None:
    game, data = pix2pix(), pairs(3).data
    made = game.sample(Request(3, inputs=data))
    assert list(made) == ["samples", "real"]
    shown, columns = side_by_side(made, Request(3, inputs=data, columns=9))
    assert columns == 9
    for k, x in enumerate((data["input"], made["samples"].x, data["real"])):
        assert torch.equal(shown[k::3], x)
    assert list(game.sample(Request(3, inputs={"input": data["input"]}))) == ["samples"]


def test_the_average_translates() -> None:
    game = pix2pix("tricks=[ema]")
    assert game.translator({}) is game.averages["generator"]
    with pytest.raises(ValueError, match="direction=… asks for what this run's game does not know"):
        game.translator({"direction": "b_to_a"})


@pytest.mark.parametrize("loss", LOSSES)
def test_with_every_loss(loss: str) -> None:
    check_turns(small_round("pix2pix", loss, []), 2)


@pytest.mark.parametrize("trick", mostly_slow(TRICKS))
def test_with_every_trick(trick: str) -> None:
    if sentence := LEFT_OUT.get(trick):
        with pytest.raises(UserError, match=sentence):
            small_round("pix2pix", "nonsaturating", [trick])
    else:
        check_turns(small_round("pix2pix", "nonsaturating", [trick]), 2)


@pytest.mark.parametrize("loss", ["nonsaturating", "r1", "wgan_gp"])
@pytest.mark.parametrize("more", ["trainer.precision=bf16", "trainer.accumulate=2"])
def test_in_bf16_and_in_parts(loss: str, more: str) -> None:
    check_turns(round_of(*SMALL, f"loss={loss}", "optimizer=adam", "trainer.batch_size=8", "tricks=[ema]", more), 1)


@pytest.mark.parametrize("trick", ["virtual_batch_norm", "reference_batch_norm", "diffaugment"])
def test_with_batch_norm(trick: str) -> None:
    norms = ["model.generator.norm=batch", "model.discriminator.norm=batch", "trainer.batch_size=8"]
    check_turns(round_of(*SMALL, *norms, "loss=nonsaturating", "optimizer=adam", f"tricks=[{trick}]"), 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["model.discriminator.patch=70"], "70x70 patches has none on pictures of 8"),
        (["dataset=digits", "model=pix2pix"], "needs pairs of pictures"),
        (["model.generator.stages=9"], "from 2 to 3 times will do"),
        (["model=mlp"], None),
    ],
)
def test_what_does_not_fit_is_refused(words: list[str], sentence: str | None) -> None:
    small: list[Any] = [] if "dataset=ring8" in words else ["dataset=digits_pairs", "dataset.image_size=8"]
    if sentence is None:
        build_game(config(*small, *words))
        return
    with pytest.raises(UserError, match=sentence):
        build_game(config(*small, *words))


def test_the_papers_settings() -> None:
    """Section 6.2 of the paper, and the later code's fall of the rate over the last half."""
    cfg = config("experiment=pix2pix_facades", "dataset.path=nowhere")
    settings = {
        "dataset.image_size": 256,
        "dataset.augment.jitter": 30,
        "dataset.augment.flip": True,
        "dataset.direction": "b_to_a",
        "model.l1": 100.0,
        "model.generator.width": 64,
        "model.generator.dropout": 0.5,
        "model.discriminator.patch": 70,
        "model.discriminator.width": 64,
        "loss.adversarial._target_": "gantrain.losses.NonSaturating",
        "optimizer.generator.lr": 2e-4,
        "optimizer.discriminator.lr": 2e-4,
        "optimizer.betas": [0.5, 0.999],
        "optimizer.schedule": {"_target_": "gantrain.schedules.Linear", "part": 0.5},
        "trainer.batch_size": 1,
        "trainer.steps": 200 * 400,
        "tricks": {},
    }
    assert {path: OmegaConf.select(cfg, path) for path in settings} == settings


@pytest.mark.parametrize("trick", ["feature_matching", "unrolled", "topk"])
def test_tricks_that_need_a_discriminator_are_refused_without_one(trick: str) -> None:
    with pytest.raises(UserError, match="needs a discriminator that plays"):
        build_game(config("dataset=digits_pairs", "dataset.image_size=8", "model.weight=0", f"tricks=[{trick}]"))
