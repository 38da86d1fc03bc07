"""Best answers: copies of players learn on, and the run never notices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from conftest import round_of, same
from torch import Tensor

from gantrain.games import Game
from gantrain.training.duality import BestAnswers
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress

SMALL = ["trainer.batch_size=16", "trainer.steps=100"]
PICTURES = ["model.generator.width=8", "model.discriminator.width=8", *SMALL]
POINTS = ["dataset=ring8", *SMALL]
STATEFUL = "tricks=[ema,spectral_norm,experience_replay,ada,historical_averaging]"


def answers_of(rounds: Rounds, step: int) -> BestAnswers:
    game, size = rounds.game, rounds.batch_size
    return BestAnswers(game, rounds.learners, rounds.batches, rounds.machine, rounds.seed, step, rounds.steps, size)


def real_of(rounds: Rounds, n: int = 64) -> Iterator[dict[str, Tensor]]:
    torch.manual_seed(7)
    return iter([rounds.batches.draw(k, rounds.batch_size) for k in range(0, n, rounds.batch_size)])


def gap_of(rounds: Rounds, step: int, turns: int = 4, lr: float = 2e-4, perturb: float = 0.0) -> tuple[float, float]:
    return answers_of(rounds, step)(turns, lr, perturb, lambda size: real_of(rounds))


def state_of(rounds: Rounds) -> dict[str, object]:
    """All that a run's next step may follow from, copied."""
    held = {name: value.clone() for name, value in rounds.game.state_dict().items()}
    optimizers = {name: learner.optimizer.state_dict()["state"] for name, learner in rounds.learners.items()}
    moments = {f"{n}.{p}.{k}": v.clone() for n, s in optimizers.items() for p, e in s.items() for k, v in e.items()}
    modes = {name: module.training for name, module in rounds.game.named_modules()}
    moving = {name: parameter.requires_grad for name, parameter in rounds.game.named_parameters()}
    rates = {name: learner.rate for name, learner in rounds.learners.items()}
    return {"held": held, "moments": moments, "modes": modes, "moving": moving, "rates": rates}


@pytest.mark.parametrize(
    "words",
    [
        ["model=dcgan", "loss=nonsaturating", *PICTURES, STATEFUL],
        ["model=dcgan", "loss=nonsaturating", *PICTURES, "tricks=[ema,virtual_batch_norm,instance_noise]"],
        ["model=resnet", "loss=hinge", "trainer.precision=bf16", "model.generator.width=16", *SMALL],
        ["model=cgan", "loss=r3", "networks@model=mlp", *SMALL],
        ["model=bigan", "networks@model=mlp", *SMALL],
        [*POINTS, "tricks=[packing,ema]", "optimizer/schedule=linear"],
        [*POINTS, "loss=wgan"],
    ],
)
def test_a_run_goes_on_bit_for_bit(words: list[str]) -> None:
    watched, alone = round_of(*words), round_of(*words)
    for rounds in (watched, alone):
        progress = Progress()
        for _ in range(3):
            rounds.play(progress)
            if rounds is watched:
                before = state_of(rounds)
                assert gap_of(rounds, progress.step, turns=2, perturb=0.01)
                assert same(before, state_of(rounds))
    assert same(state_of(watched), state_of(alone))


def moved(game: Game, other: Game) -> set[str]:
    """The players with parameters that differ."""
    new = dict(other.named_parameters())
    return {
        name.partition(".")[0] for name, p in game.named_parameters() if name in new and not torch.equal(p, new[name])
    }


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_only_the_one_who_answers_moves(player: str) -> None:
    rounds = round_of(*POINTS, "tricks=[ema]")
    answered = answers_of(rounds, 0).answered(player, 0, turns=2, lr=1e-3, perturb=0.0)
    assert moved(rounds.game, answered) == {player}
    assert moved(rounds.game, answers_of(rounds, 0).answered(player, 0, turns=0, lr=1e-3, perturb=0.0)) == set()
    perturbed = answers_of(rounds, 0).answered(player, 0, turns=0, lr=1e-3, perturb=0.5)
    assert moved(rounds.game, perturbed) == {player}
    old = dict(rounds.game.get_submodule(player).named_parameters())
    noise = [p - old[name] for name, p in perturbed.get_submodule(player).named_parameters()]
    assert torch.cat([x.flatten() for x in noise]).std().item() == pytest.approx(0.5, rel=0.05)


def test_frozen_weights_stay() -> None:
    rounds = round_of(*POINTS)
    learner = rounds.learners["discriminator"]
    learner.parameters = list(learner.parameters)[2:]
    answered = answers_of(rounds, 0).answered("discriminator", 0, turns=2, lr=1e-3, perturb=0.1)
    pairs = list(zip(rounds.game.discriminator.parameters(), answered.discriminator.parameters(), strict=True))
    assert all(torch.equal(old, new) for old, new in pairs[:2])
    assert not torch.equal(*pairs[2])


def test_answers_pull_the_value_apart() -> None:
    """The longer they learn the further; with no turn each stays as it is. The same run gives the same figures."""
    rounds = round_of(*POINTS, "loss=minimax", "tricks=[]")
    largest, least = gap_of(rounds, 0, turns=0)
    assert largest == least
    more, less = gap_of(rounds, 0, turns=10)
    most, lowest = gap_of(rounds, 0, turns=60)
    assert most > more > largest
    assert lowest < less < least
    assert (most, lowest) == gap_of(rounds, 0, turns=60)
    assert gap_of(rounds, 1, turns=10) != (more, less)  # every evaluation draws numbers of its own


def test_a_rate_of_nothing_does_not_hide_a_sick_run() -> None:
    """A discriminator that never moves lets the generator run away: the gap sees it, though no loss does."""
    gaps = {}
    for rate in ("0.002", "0"):
        rounds = round_of("dataset=ring8", "trainer.steps=200", f"optimizer.discriminator.lr={rate}")
        progress = Progress()
        for _ in range(200):
            rounds.play(progress)
        largest, least = gap_of(rounds, progress.step, turns=50)
        gaps[rate] = largest - least
    assert gaps["0.002"] < 0.5
    assert gaps["0"] > 5


def test_what_is_not_finite_is_said() -> None:
    rounds = round_of(*POINTS)
    with torch.no_grad():
        next(rounds.game.generator.parameters()).fill_(float("nan"))
    assert all(value != value for value in gap_of(rounds, 0))
