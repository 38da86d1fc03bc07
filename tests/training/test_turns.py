"""What one turn is played with, and what it keeps."""

from __future__ import annotations

import pytest
import torch
from conftest import round_of

from gantrain.training.meter import Meter
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress

POINTS = ["dataset=ring8", "trainer.batch_size=16", "tricks=[]"]


def updated(*words: str) -> dict[str, torch.Tensor]:
    """The parameters after two rounds, in double precision."""
    torch.set_default_dtype(torch.float64)
    try:
        rounds = round_of(*POINTS, *words)
        progress = Progress()
        for _ in range(2):
            rounds.play(progress)
        return {name: p.detach() for name, p in rounds.game.named_parameters()}
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "words",
    [
        ["loss=nonsaturating"],
        ["loss=r3"],
        ["loss=hinge", "loss.generator_batches=2"],
        ["model=gman", "loss=lsgan", "model.aggregate=mean", "model.drop_discriminator=0.5"],
        ["model=infogan", "networks@model=mlp", "loss=nonsaturating"],
        ["model=cgan", "networks@model=mlp", "loss=r1", "model.conditioning=concat"],
        ["model=cgan", "networks@model=mlp", "loss=hinge", "model.mismatched=0.3", "model.conditioning=concat"],
        ["loss=nonsaturating", "tricks=[instance_noise,label_flipping]", "model.discriminator.dropout=0.3"],
    ],
)
def test_parts_of_a_batch_are_slices_of_it(words: list[str]) -> None:
    """Data, latents, noise and what all samples share are drawn whole, so that parts add up to the very same turn."""
    whole, parts = updated(*words), updated(*words, "trainer.accumulate=4")
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-9, atol=1e-12)


def test_equal_plans_run_the_same_operations() -> None:
    rounds = round_of(*POINTS, "loss=r1", "loss.penalties.r1.every=3", "tricks=[topk]", "tricks.topk.every=2")
    game = rounds.game
    discriminators = [game.plan("discriminator", played) for played in range(6)]
    assert [plan.penalties for plan in discriminators] == [("r1",), (), ()] * 2
    assert len(set(discriminators)) == 2
    generators = [game.plan("generator", played) for played in range(4)]
    assert [plan.top_k_share for plan in generators] == pytest.approx([1.0, 1.0, 0.99, 0.99])
    assert len(set(generators)) == 2
    assert [plan.played for plan in generators] == [0, 1, 2, 3]


class Growth:
    """A phase that begins in every third step, with which a player starts anew."""

    def __init__(self, rounds: Rounds) -> None:
        self.entered: list[int] = []
        rounds.game.phase = self.phase  # type: ignore[method-assign]
        rounds.game.entered = self.enter  # type: ignore[method-assign]

    def phase(self, step: int) -> int:
        return step // 3

    def enter(self, phase: int) -> tuple[str, ...]:
        self.entered.append(phase)
        return ("generator",)


def test_phases_follow_from_the_step_and_tell_optimizers() -> None:
    rounds = round_of(*POINTS, "loss=nonsaturating", "optimizer=adam")
    growth, progress, moves = Growth(rounds), Progress(), []
    for _ in range(7):
        rounds.play(progress)
        moves.append(
            [next(iter(learner.optimizer.state.values()))["step"].item() for learner in rounds.learners.values()]
        )
    assert growth.entered == [1, 2]
    assert moves == [[1, 1], [2, 2], [3, 3], [4, 1], [5, 2], [6, 3], [7, 1]]
    again = round_of(*POINTS, "loss=nonsaturating", "optimizer=adam")
    growth = Growth(again)
    again.play(Progress(step=6))
    assert growth.entered == [2]
    assert again.game.plan("discriminator", 6, step=6).phase == 2


def test_the_meter_means_what_was_added_since_and_keeps_its_places() -> None:
    meter = Meter(places=2)
    for value in (1.0, 2.0, 6.0):
        meter.add("a", torch.tensor(value))
    meter.add("b", torch.tensor(True))
    meter.add("c", torch.tensor(0.5, dtype=torch.bfloat16))
    places = {tag: place.data_ptr() for tag, place in meter._places.items()}
    assert meter.read(go_on=True) == {"a": 3.0, "b": 1.0, "c": 0.5}
    assert meter.read() == {"a": 3.0, "b": 1.0, "c": 0.5}
    assert meter.read() == {}
    meter.add("c", torch.tensor(4.0))
    assert meter.read() == {"c": 4.0}
    assert {tag: place.data_ptr() for tag, place in meter._places.items()} == places
