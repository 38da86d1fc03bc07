"""Tricks beside each other."""

from __future__ import annotations

import pytest
import torch
from conftest import round_of

from gantrain.games import GMAN
from gantrain.training.state import Progress
from gantrain.tricks import DiffAugment, Trick

DIGITS = ["dataset=digits", "loss=nonsaturating", "trainer.batch_size=8"]


def test_fakes_that_several_discriminators_judge_are_augmented_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = round_of(*DIGITS, "model=gman", "model.count=3", "tricks=[diffaugment]")
    calls: list[int] = []
    augment = DiffAugment.augment

    def counted(self: DiffAugment, x: torch.Tensor, batch: object) -> torch.Tensor:
        calls.append(len(x))
        return augment(self, x, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(DiffAugment, "augment", counted)
    assert isinstance(rounds.game, GMAN)
    rounds.play(Progress())
    assert len(calls) == 3 * 2 + 1


def test_a_pool_is_made_of_what_networks_make_once_their_reference_is_there() -> None:
    words = ["model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]
    for tricks in ("[experience_replay,virtual_batch_norm]", "[virtual_batch_norm,experience_replay]"):
        game = round_of(*DIGITS, *words, f"tricks={tricks}").game
        assert game.get_buffer("tricks.experience_replay.x_discriminator").shape[1:] == (1, 16, 16)


def test_making_a_pool_draws_nothing_from_what_others_draw() -> None:
    rounds = round_of("dataset=ring8", "tricks=[experience_replay]")
    before = torch.get_rng_state()
    rounds.game.tricks.begin(rounds.game, lambda n, position=0: rounds.game.batch_at(0, rounds.game.latents(n)))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_trick_may_have_any_name() -> None:
    words = ["dataset=ring8", "tricks=[]", "+tricks.augment={_target_: gantrain.tricks.InstanceNoise, std: 0.5}"]
    rounds = round_of(*words)
    assert [trick.name for trick in rounds.game.tricks.each()] == ["augment"]
    assert all(isinstance(trick, Trick) for trick in rounds.game.tricks.values())
    rounds.play(Progress())
