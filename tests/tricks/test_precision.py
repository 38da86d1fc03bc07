"""Tricks where forwards run in bf16."""

from __future__ import annotations

import torch
from conftest import round_of

from gantrain.training.rounds import Progress

DCGAN = ["dataset=digits", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]


def test_fakes_made_in_bf16_are_kept_and_replayed() -> None:
    words = ["tricks=[experience_replay]", "tricks.experience_replay.size=8", "trainer.precision=bf16"]
    rounds, progress = round_of(*DCGAN, "loss=nonsaturating", "trainer.batch_size=8", *words), Progress()
    for _ in range(4):
        rounds.play(progress)
    held = rounds.game.state_dict()["tricks.experience_replay.x_discriminator"]
    assert held.flatten(1).abs().sum(1).gt(0).all()
    assert torch.equal(held, held.bfloat16().float()), "what a generator in bf16 makes"
