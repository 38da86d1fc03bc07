"""Tricks, where players share layers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from conftest import round_of

from gantrain.games import GMAN
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress

DIGITS = ["dataset=digits", "loss=nonsaturating", "trainer.batch_size=8"]


@pytest.fixture
def one_head(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two discriminators with one head."""
    build_players = GMAN.build_players

    def sharing(self: GMAN, *makers: Any) -> None:
        build_players(self, *makers)
        self.discriminator_1.head = self.discriminator_0.head

    monkeypatch.setattr(GMAN, "build_players", sharing)
    return ["model=gman", "model.count=2"]


def held(rounds: Rounds) -> list[tuple[str, int]]:
    """Each place of a player's network and the tensor that it holds."""
    both = (rounds.game.named_parameters, rounds.game.named_buffers)
    tensors = [one for named in both for one in named(remove_duplicate=False)]
    return [(name, id(tensor)) for name, tensor in tensors if not name.startswith("tricks.")]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_unrolling_leaves_shared_layers_as_they_are(optimizer: str, one_head: list[str]) -> None:
    unrolled = ["tricks=[unrolled]", "tricks.unrolled.steps=2", f"tricks.unrolled.optimizer={optimizer}"]
    rounds = round_of(*DIGITS, *one_head, *unrolled)
    before = held(rounds)
    progress = Progress()
    for _ in range(2):
        rounds.play(progress)
    assert held(rounds) == before


def test_unrolling_leaves_the_running_statistics_of_siblings_as_they_are() -> None:
    rounds = round_of(*DIGITS, "model=madgan", "tricks=[unrolled]", "tricks.unrolled.steps=1")
    before = held(rounds)
    rounds.play(Progress())
    assert held(rounds) == before


def test_averages_of_shared_layers_are_shared_and_move_once_a_round(one_head: list[str]) -> None:
    ema = ["tricks=[ema]", "tricks.ema.players=[discriminator]", "tricks.ema.half_life=8", "tricks.ema.ramp_up=null"]
    game = round_of(*DIGITS, *one_head, *ema).game
    one, two = (game.averages[name] for name in game.discriminators)
    assert one.head is two.head
    (trick,) = game.tricks.each()
    for network, value in ((game.discriminator_0, 1.0), (one, 0.0)):
        torch.nn.init.constant_(network.head.weight, value)
    for name in game.discriminators:
        trick.after_update(game.player(name), game, 8)
    assert (one.head.weight == 0.5).all()


@pytest.mark.parametrize("trick", ["minibatch_discrimination", "minibatch_stddev"])
def test_layers_are_put_before_a_shared_one_once(trick: str, one_head: list[str]) -> None:
    game = round_of(*DIGITS, *one_head, f"tricks=[{trick}]").game
    assert isinstance(game.discriminator_0.head, torch.nn.Sequential)
    assert game.discriminator_0.head is game.discriminator_1.head
