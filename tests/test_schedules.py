"""Numbers that move over time."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import CPU, round_of

from gantrain.errors import UserError
from gantrain.losses import R1
from gantrain.schedules import Constant, Cosine, Exponential, Geometric, Linear, Ramp, Schedule, Scheduled
from gantrain.training.state import Progress

RAMP = "_target_: gantrain.schedules.Ramp"


def test_a_ramp_goes_from_end_to_end() -> None:
    linear = Ramp(10.0, 1.0, steps=90)
    assert [linear(k, 1000) for k in (0, 30, 90, 500)] == pytest.approx([10, 7, 1, 1])
    cosine = Ramp(0.9, 0.99, shape="cosine")
    assert [cosine(k, 100) for k in (0, 50, 100)] == pytest.approx([0.9, 0.945, 0.99])
    assert cosine(25, 100) == pytest.approx(0.9 + 0.09 * (1 - math.cos(math.pi / 4)) / 2)


@pytest.mark.parametrize(
    "schedule",
    [Constant(), Linear(0.3), Cosine(0.1), Geometric(0.5, 0.01), Exponential(0.5, 7), Ramp(3.0, -2.0, shape="cosine")],
)
def test_the_ends_are_never_passed(schedule: Schedule) -> None:
    least, most = min(schedule.ends()), max(schedule.ends())
    assert all(least <= schedule(step, 100) <= most for step in range(101))


def test_what_moves_is_filled_in_place_and_what_stays_is_a_number() -> None:
    moved, stays = Scheduled(Ramp(10.0, 0.0)), Scheduled(0.3)
    place = moved.now
    assert isinstance(place, torch.Tensor)
    for step, value in ((0, 10.0), (25, 7.5), (100, 0.0)):
        moved.move_to(step, 100, CPU)
        stays.move_to(step, 100, CPU)
        assert moved.now is place
        assert place.item() == pytest.approx(value)
        assert stays.now == 0.3


def test_a_penalty_is_as_strong_as_its_schedule_says() -> None:
    """γ falls from 8 to 0: in its first turn R1 costs what γ = 8 makes of it, half of the way half as much."""
    words = ["dataset=ring8", "loss=r1", "trainer.batch_size=16"]

    def costs(weight: str, at: int) -> float:
        rounds = round_of(*words, f"loss.penalties.r1.weight={weight}", "trainer.steps=8")
        rounds.play(Progress(step=at))
        return rounds.meter.read()["loss/discriminator/r1"]

    ramp = f"{{{RAMP}, start: 8, end: 0}}"
    assert costs(ramp, 0) == pytest.approx(costs("8", 0), rel=1e-6)
    assert costs(ramp, 4) == pytest.approx(costs("4", 4), rel=1e-6)
    assert costs(ramp, 8) == 0


def test_betas_rates_and_half_lives_move() -> None:
    rounds = round_of(
        *("dataset=ring8", "loss=nonsaturating", "optimizer=adam", "trainer.steps=100", "tricks=[ema]"),
        f"optimizer.discriminator.betas=[0.5,{{{RAMP}, start: 0.9, end: 0.99}}]",
        f"optimizer.generator.lr={{{RAMP}, start: 1e-3, end: 1e-4}}",
        f"tricks.ema.half_life={{{RAMP}, start: 1e3, end: 5e3, steps: 50}}",
    )
    rounds.play(Progress(step=50))
    groups = {name: learner.optimizer.param_groups[0] for name, learner in rounds.learners.items()}
    assert groups["discriminator"]["betas"] == pytest.approx((0.5, 0.945))
    assert groups["generator"]["betas"] == pytest.approx((0.5, 0.999))
    assert groups["generator"]["lr"] == pytest.approx(5.5e-4)
    assert rounds.game.tricks.each()[0].half_life.now.item() == pytest.approx(5e3)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            f"loss.penalties.r1.weight={{{RAMP}, start: 1, end: -1}}",
            "loss.penalties.r1.weight must be 0 or more, got -1",
        ),
        (f"optimizer.generator.betas=[0,{{{RAMP}, start: 0.9, end: 1.5}}]", r"optimizer.generator.betas\[1\] must be"),
        ("optimizer.generator.lr={_target_: gantrain.losses.R1}", "optimizer.generator.lr._target_=gantrain.losses.R1"),
    ],
)
def test_ends_out_of_range_are_refused(word: str, said: str) -> None:
    tricks, _, rest = word.partition(" ") if word.startswith("tricks=[") else ("tricks=[]", "", word)
    with pytest.raises(UserError, match=said):
        round_of("dataset=ring8", "loss=r1", tricks, rest)


def test_a_weight_may_be_a_schedule_or_a_number() -> None:
    assert R1(2.0).weight.now == 2.0
    with pytest.raises(ValueError, match="weight must be 0 or more"):
        R1(Ramp(-1.0, 1.0))


def test_what_entries_share_may_be_a_schedule() -> None:
    ramps = (
        f"optimizer.lr={{{RAMP}, start: 1e-3, end: 1e-4}}",
        f"optimizer.betas=[0,{{{RAMP}, start: 0.9, end: 0.99}}]",
    )
    rounds = round_of("dataset=ring8", "loss=nonsaturating", "optimizer=adam", "trainer.steps=100", *ramps)
    rounds.play(Progress(step=50))
    for learner in rounds.learners.values():
        (group,) = learner.optimizer.param_groups
        assert group["lr"] == pytest.approx(5.5e-4)
        assert group["betas"] == pytest.approx((0, 0.945))
    with pytest.raises(UserError, match=r"optimizer.discrim: the game has no player discrim, did you mean"):
        round_of("dataset=ring8", "optimizer=adam", "+optimizer.discrim.lr=1")


def test_schedules_that_older_runs_name_are_found() -> None:
    old = "optimizer.schedule._target_=gantrain.training.schedules.Cosine"
    rounds = round_of("dataset=ring8", "loss=nonsaturating", "optimizer/schedule=cosine", old)
    assert all(isinstance(learner.schedule, Cosine) for learner in rounds.learners.values())


def test_strengths_by_player_may_be_schedules() -> None:
    ramp = f"{{discriminator: {{{RAMP}, start: 2, end: 0}}}}"
    words = ["dataset=ring8", "loss=nonsaturating", "trainer.batch_size=8", "tricks=[weight_regularisation]"]

    def costs(strength: str, at: int) -> float:
        rounds = round_of(*words, f"tricks.weight_regularisation.l2={strength}", "trainer.steps=8")
        rounds.play(Progress(step=at))
        return rounds.meter.read()["loss/discriminator/l2"]

    assert costs(ramp, 4) == pytest.approx(costs("{discriminator: 1}", 4), rel=1e-6)
