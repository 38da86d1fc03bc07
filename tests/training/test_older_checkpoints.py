"""Checkpoints of runs that were made before tricks kept what they keep today."""

from __future__ import annotations

import pytest
import torch
from conftest import round_of, same

from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress

WORDS = ["trainer.batch_size=8", "loss=nonsaturating", "trainer.steps=100"]


def played(*words: str) -> Rounds:
    rounds, progress = round_of(*WORDS, *words), Progress()
    for _ in range(3):
        rounds.play(progress)
    return rounds


def test_lecam_goes_on_with_averages_of_turns_that_nobody_counted() -> None:
    """The first turn's logits are its average; in an older run that is over."""
    rounds = played("dataset=ring8", "tricks=[lecam]")
    old = rounds.game.state_dict()
    del old["tricks.lecam.turns_discriminator"]
    again = round_of(*WORDS, "dataset=ring8", "tricks=[lecam]", "seed=1")
    again.game.load_state_dict(old)
    average = again.game.get_buffer("tricks.lecam.real_discriminator").clone()
    again.game.tricks["lecam"]._note("discriminator", "real", torch.full((8,), 100.0))  # type: ignore[operator]
    assert torch.equal(again.game.get_buffer("tricks.lecam.real_discriminator"), average)


@pytest.mark.parametrize("model", ["mlp", "madgan", "gman"])
def test_the_one_pool_of_an_older_run_becomes_that_of_each_discriminator(model: str) -> None:
    words = ["dataset=ring8", f"model={model}", "tricks=[experience_replay]", "tricks.experience_replay.size=12"]
    game = played(*words).game
    first, *others = game.discriminators
    new = {key: value for key, value in game.state_dict().items() if not key.endswith(tuple(others) or "-")}
    start = "tricks.experience_replay."
    names = {f"{start}filled_{first}": f"{start}filled", f"{start}x_{first}": f"{start}samples"}
    names |= {f"{start}generator_{first}": f"{start}given_generator"}
    players = {key: value for key, value in game.state_dict().items() if not key.startswith(start)}
    old = {**players, **{names[key]: value for key, value in new.items() if key in names}}
    other = round_of(*WORDS, *words, "seed=1").game
    other.load_state_dict(old)
    loaded = other.state_dict()
    assert loaded.keys() == game.state_dict().keys()
    for player in game.discriminators:
        for key in names:
            if key in new:
                assert same(loaded[key.replace(first, player)], new[key])
