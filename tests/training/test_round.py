"""A step is a pure function of the state and the step number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import round_of
from torch import Tensor

from gantrain.errors import UserError
from gantrain.schedules import Constant, Cosine, Exponential, Geometric, Linear
from gantrain.training.rounds import Progress
from gantrain.turns import Batch

GOLDEN = Path(__file__).parent / "golden_losses.json"
GAMES = ("acgan", "bigan", "cgan", "gman", "infogan", "madgan", "sgan", "triplegan")
SETTINGS = {
    "mlp-ring8-r3": ["dataset=ring8", "trainer.batch_size=32"],
    "mlp-gaussian1d-nonsaturating": ["dataset=gaussian1d", "loss=nonsaturating", "trainer.batch_size=32"],
    "dcgan-digits-nonsaturating": [
        "dataset=digits", "model=dcgan", "loss=nonsaturating", "optimizer=adam", "trainer.batch_size=16",
        "model.generator.width=8", "model.discriminator.width=8",
    ],
    "dcgan-digits-wgan_gp": [
        "dataset=digits", "model=dcgan", "loss=wgan_gp", "trainer.batch_size=16",
        "model.generator.width=8", "model.discriminator.width=8",
    ],
    "resnet-digits-projection-hinge": [
        "dataset=digits", "model=cgan", "networks@model=resnet", "loss=hinge", "trainer.batch_size=8",
        "model.generator.width=16", "model.discriminator.width=16",
    ],
    **{f"{game}-digits": ["dataset=digits", f"model={game}", "trainer.batch_size=16"] for game in GAMES},
}  # fmt: skip


def losses(words: list[str], steps: int = 5) -> list[dict[str, float]]:
    """The first ones. Adam makes a whole step of a gradient that is 0 but for rounding, which each processor does in
    its own way: not with this eps."""
    rounds = round_of(*words, "trainer.steps=1000")
    for learner in rounds.learners.values():
        for group in learner.optimizer.param_groups:
            group["eps"] = 1e-3
    progress = Progress()
    found = []
    for _ in range(steps):
        rounds.play(progress)
        found.append(rounds.meter.read())
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_golden_losses(name: str, request: pytest.FixtureRequest) -> None:
    """The first losses of fixed recipes stay what they were. A change that is meant to move them comes with new ones:
    pytest tests/training --write-golden"""
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {}
    now = losses(SETTINGS[name])
    if request.config.getoption("--write-golden"):
        GOLDEN.write_text(json.dumps({**golden, name: now}, indent=1) + "\n")
        return
    for found, wanted in zip(now, golden[name], strict=True):
        assert found == pytest.approx(wanted, rel=2e-3, abs=2e-4)


def test_same_seed_same_bits() -> None:
    words = SETTINGS["dcgan-digits-nonsaturating"]
    assert losses(words, 3) == losses(words, 3)
    assert losses(words, 1) != losses([*words, "seed=1"], 1)


def test_a_step_does_not_depend_on_what_was_drawn_between() -> None:
    first, second = (round_of(*SETTINGS["mlp-ring8-r3"]) for _ in range(2))
    for rounds, disturbed in ((first, False), (second, True)):
        progress = Progress()
        for _ in range(3):
            rounds.play(progress)
            if disturbed:
                torch.randn(17)
    for a, b in zip(first.learners["generator"].parameters, second.learners["generator"].parameters, strict=True):
        assert torch.equal(a, b)


def test_schedules() -> None:
    assert Constant()(5, 10) == 1
    staircase = Exponential(0.95, 150)
    assert [staircase(k, 1000) for k in (0, 149, 150, 300)] == pytest.approx([1, 1, 0.95, 0.95**2])
    assert Exponential(0.5, 10, staircase=False)(5, 100) == pytest.approx(0.5**0.5)
    linear = Linear(0.5)
    assert [linear(k, 100) for k in (0, 50, 75, 100)] == pytest.approx([1, 1, 0.5, 0])
    geometric = Geometric(0.5, 0.01)
    assert [geometric(k, 100) for k in (0, 50, 75, 100, 200)] == pytest.approx([1, 1, 0.1, 0.01, 0.01])
    for part, floor in ((0.0, 0.5), (1.1, 0.5), (0.5, 0.0), (0.5, 2.0)):
        with pytest.raises(ValueError, match="must be"):
            Geometric(part, floor)
    cosine = Cosine(0.1)
    assert [cosine(k, 100) for k in (0, 50, 100)] == pytest.approx([1, 0.55, 0.1])


@pytest.mark.parametrize(("loss", "real"), [("nonsaturating", 0), ("rpgan", 16)])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_generator_may_play_more_samples_than_the_discriminator(accumulate: int, loss: str, real: int) -> None:
    """Miyato et al. 2018 show D twice 64 samples and draw 128 for G; what G looks at of the data grows with them."""
    words = ["dataset=ring8", f"loss={loss}", "loss.generator_batches=2", "trainer.batch_size=8", "tricks=[ema]"]
    rounds = round_of(*words, f"trainer.accumulate={accumulate}")
    played: dict[str, list[tuple[int, int]]] = {"discriminator": [], "generator": []}
    terms = rounds.game.terms

    def noted(player: str, batch: Batch) -> dict[str, Tensor]:
        played[player].append((len(batch.latent["noise"]), len(batch.data.get("real", ()))))
        return terms(player, batch)

    rounds.game.terms = noted  # type: ignore[method-assign]
    progress = Progress()
    rounds.play(progress)
    part = 8 // accumulate
    assert played["discriminator"] == [(part, part)] * accumulate
    assert played["generator"] == [(2 * part, real // accumulate)] * accumulate
    assert progress.position == 8 + real
    assert rounds.game.tricks["ema"].images == 16
    with pytest.raises(UserError, match="generator_batches"):
        round_of("dataset=ring8", "loss=nonsaturating", "loss.generator_batches=0")


def test_rates_follow_the_schedule() -> None:
    rounds = round_of("dataset=ring8", "loss=nonsaturating", "optimizer/schedule=linear", "trainer.steps=4")
    rates = []
    progress = Progress()
    for _ in range(4):
        rounds.play(progress)
        rates.append(rounds.learners["generator"].rate)
    assert rates == pytest.approx([2e-4, 2e-4, 2e-4, 1e-4])
