"""Whatever a run makes of itself, it makes as the game is in that step: its phase may follow from it."""

from __future__ import annotations

import pytest
import torch
from conftest import CPU, Command, config
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.commands.evaluation import score_function
from gantrain.games import Request, Standard
from gantrain.training.machine import Machine
from gantrain.turns import Batch, Samples, Scores

RING = [
    "dataset=ring8",
    "metrics=modes",
    "trainer.batch_size=8",
    "model.generator.hidden=[4]",
    "model.discriminator.hidden=[4]",
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Steps and sizes of all that was sampled."""
    found: list[tuple[int, int]] = []
    sample = Standard.sample

    def noting(game: Standard, request: Request) -> dict[str, Tensor]:
        found.append((request.step, request.n))
        return sample(game, request)

    monkeypatch.setattr(Standard, "sample", noting)
    return found


@pytest.mark.usefixtures("plain_pictures")
def test_pictures_evaluations_and_probes_are_of_their_step(gantrain: Command, asked: list[tuple[int, int]]) -> None:
    words = ["trainer.steps=6", "log.samples_every=2", "checkpoint.every=3", "metrics.every=4"]
    assert gantrain(*RING, *words).returncode == 0
    assert [step for step, n in asked if n == 2000] == [0, 2, 4, 6], "pictures"
    assert {step for step, n in asked if n == 500} == {4, 6}, "evaluations"
    assert {3, 6} <= {step for step, n in asked if n == 16}, "what is looked at before a checkpoint"
    assert [step for step, _ in asked] == sorted(step for step, _ in asked)


def test_a_score_is_that_of_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    game = build_game(config(*RING))
    monkeypatch.setattr(type(game), "phase", lambda game, step: step // 10)
    seen: list[tuple[int, int]] = []
    score = Standard.score

    def noting(game: Standard, discriminator: str, inputs: Samples, batch: Batch) -> Scores:
        seen.append((int(batch.step), batch.plan.phase))
        return score(game, discriminator, inputs, batch)

    monkeypatch.setattr(Standard, "score", noting)
    logits_of = score_function(game, Machine(CPU), 25)
    assert logits_of is not None
    logits_of(torch.zeros(3, 2))
    assert seen == [(25, 2)]
