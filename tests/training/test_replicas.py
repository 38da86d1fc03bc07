"""Several runs whose turns are played at once are what each is alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from gantrain.commands.parts import begin, build_parts, build_rounds, open_data
from gantrain.config import complete, compose, hydra_at
from gantrain.errors import Stopped, UserError
from gantrain.training.loop import Due, Training
from gantrain.training.ranks import ALONE
from gantrain.training.replicas import Replicas, train_together
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress
from gantrain.tricks import InstanceNoise
from gantrain.turns import Batch

SMALL = [
    *("dataset=ring8", "model.generator.hidden=[16,16]", "model.discriminator.hidden=[16,16]"),
    *("trainer.batch_size=16", "trainer.steps=20"),
]


@pytest.fixture
def doubles() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def rounds_of(seed: int, *words: str) -> Rounds:
    with hydra_at(None):
        cfg = complete(compose([*SMALL, f"seed={seed}", *words], "train"))
    parts = build_parts(cfg, None, print)
    rounds = build_rounds(cfg, parts, open_data(parts, ALONE), print)
    begin(rounds)
    return rounds


def state_of(rounds: Rounds) -> dict[str, torch.Tensor]:
    """Everything that a checkpoint holds of a run's networks and optimizers."""
    held = dict(rounds.game.state_dict())
    for name, learner in rounds.learners.items():
        for number, kept in learner.optimizer.state_dict()["state"].items():
            held |= {f"{name} {number} {key}": value for key, value in kept.items()}
    return {name: value.detach().clone() for name, value in held.items()}


CASES = {
    "as it comes": [],
    "dropout": ["loss=nonsaturating", "model.discriminator.dropout=0.3"],
    "clipped by norm": ["loss=hinge", "tricks=[ema,gradient_clipping]", "tricks.gradient_clipping.max_norm=0.01"],
    "clipped weights": ["loss=wgan"],
    "kept fakes": ["tricks=[experience_replay]"],
    "samples that meet": ["tricks=[minibatch_discrimination]", "loss=lsgan"],
    "batch norm": ["loss=lsgan", "model.generator.norm=batch"],
    "momentum": ["optimizer=sgd", "loss=nonsaturating"],
    "layers of two players": ["model=infogan", "networks@model=mlp", "loss=nonsaturating"],
    "several discriminators": ["model=gman", "loss=nonsaturating"],
    "past weights": ["tricks=[historical_averaging,instance_noise]"],
}


@pytest.mark.parametrize("words", CASES.values(), ids=CASES.keys())
def test_each_is_what_it_is_alone(words: list[str], doubles: None) -> None:
    _compare(words, 1e-9)


def test_each_draws_the_points_of_its_penalties() -> None:
    _compare(["loss=wgan_gp"], 1e-4)  # they are float32 whatever the networks are


def _compare(words: list[str], tolerance: float) -> None:
    alone, together = ([rounds_of(seed, *words) for seed in (3, 4)] for _ in range(2))
    said: list[str] = []
    replicas = Replicas(together, said.append)
    counters = [Progress() for _ in together]
    for step in range(4):
        if step == 2:  # somebody watches
            for rounds, progress in zip(together, counters, strict=True):
                rounds.play(progress, observe=True)
        else:
            replicas.play(counters)
    for rounds, own, progress in zip(alone, together, counters, strict=True):
        mine = Progress()
        for step in range(4):
            rounds.play(mine, observe=step == 2)
        assert mine == progress
        for (name, a), (other, b) in zip(state_of(rounds).items(), state_of(own).items(), strict=True):
            assert name == other
            torch.testing.assert_close(
                b, a, rtol=10 * tolerance, atol=10 * tolerance, msg=lambda text, name=name: f"{name}: {text}"
            )
        figures = rounds.meter.read()
        assert own.meter.read() == pytest.approx(figures, rel=1e-4)
    assert not said


def _drawn_for_all_alike(trick: InstanceNoise, x: torch.Tensor, batch: Batch) -> torch.Tensor:
    return x + torch.empty(x.shape).normal_()


def _kept(trick: InstanceNoise, x: torch.Tensor, batch: Batch) -> torch.Tensor:
    vars(trick)["last"] = x
    return x


def _read_by_the_host(trick: InstanceNoise, x: torch.Tensor, batch: Batch) -> torch.Tensor:
    return x + float(x.detach().abs().max())


@pytest.mark.parametrize("augment", [_drawn_for_all_alike, _kept, _read_by_the_host])
def test_turns_that_cannot_be_played_at_once_are_refused(augment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InstanceNoise, "augment", augment)
    together = [rounds_of(seed, "tricks=[instance_noise]") for seed in (3, 4)]
    with pytest.raises(UserError, match="cannot play the turns of discriminator at once here"):
        Replicas(together, print).check([Progress(), Progress()])


def test_a_later_turn_that_cannot_be_is_played_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InstanceNoise, "augment", _read_by_the_host)
    alone, *together = [rounds_of(seed, "tricks=[instance_noise]") for seed in (3, 3, 4)]
    said: list[str] = []
    replicas, counters, mine = Replicas(together, said.append), [Progress(), Progress()], Progress()
    for _ in range(2):
        replicas.play(counters)
        alone.play(mine)
    assert [sentence.partition(":")[0] for sentence in said] == [
        f"some turns of {player} are played one by one from here on" for player in ("discriminator", "generator")
    ]
    assert all(torch.equal(a, b) for a, b in zip(state_of(alone).values(), state_of(together[0]).values(), strict=True))


def test_gradients_that_are_not_finite_decide_nothing() -> None:
    """Of one run, whose Adam keeps what is not finite; D's next turn is played before that is in its weights."""
    together, said = [rounds_of(seed, "loss=nonsaturating") for seed in (3, 4)], list[str]()
    replicas, counters = Replicas(together, said.append), [Progress(), Progress()]
    weights = {name: values.clone() for name, values in together[1].game.state_dict().items()}
    next(together[1].game.generator.parameters()).data.fill_(torch.nan)
    replicas.play(counters)
    assert not replicas._together
    together[1].game.load_state_dict(weights)
    replicas.play(counters)
    assert not said
    assert {player: found for (player, _), found in replicas._together.items()} == {"discriminator": True}


def test_in_bf16_they_are_compared_as_bf16_can_be() -> None:
    together = [rounds_of(seed, "loss=r1", "trainer.precision=bf16") for seed in (3, 4)]
    Replicas(together, print).check([Progress(), Progress()])


def test_a_signal_while_runs_begin_is_for_all_of_them() -> None:
    begun: list[int] = []

    def run(number: int) -> Training[None]:
        begun.append(number)
        if number == 1:
            stopped = Stopped(signal.SIGTERM)
            stopped.at_once = True
            raise stopped
        try:
            yield Due(None, Progress(), False)  # type: ignore[arg-type]
        finally:
            begun.append(-number)

    outcomes = train_together([run(number) for number in range(3)], print)
    assert [type(outcome) for outcome in outcomes] == [Stopped] * 3
    assert begun == [0, 1, 0], "the first is told, and the third never begins"


@pytest.mark.parametrize("at_once", [True, False])
def test_a_second_signal_stops_all_of_them(monkeypatch: pytest.MonkeyPatch, at_once: bool) -> None:
    """It comes while one of them evaluates, say. By a first one each ends by itself, for it has to save."""
    monkeypatch.setattr("gantrain.training.replicas.Replicas", lambda *_: None)
    ended: list[int] = []
    stopped = Stopped(signal.SIGTERM)
    stopped.at_once = at_once

    def run(number: int) -> Training[None]:
        try:
            for _ in range(9):
                yield Nothing(None, Progress(), True)  # type: ignore[arg-type]
                if number == 1:
                    raise stopped
        finally:
            ended.append(number)

    outcomes = train_together([run(number) for number in range(3)], print)
    assert outcomes == ([stopped] * 3 if at_once else [None, stopped, None])
    assert ended == [1, 0, 2]


class Nothing(Due):
    def play(self) -> None:
        """A round of nothing."""
