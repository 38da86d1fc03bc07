"""ADA whose strength is a number or a schedule."""

from __future__ import annotations

import pytest
import torch
from conftest import config, round_of

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.training.rounds import Progress
from gantrain.tricks import ADA
from gantrain.turns import Batch

WORDS = ["dataset=digits", "dataset.image_size=8", "networks@model=dcgan_small", "model=cgan", "tricks=[ada]"]
RAMP = "tricks.ada.p={_target_:gantrain.schedules.Ramp,start:0,end:0.6,steps:4}"


def test_it_follows_the_schedule_and_reads_no_logits() -> None:
    """With a loss whose logits have no sign too."""
    rounds = round_of(*WORDS, "loss=r3", "optimizer=adam", RAMP, "trainer.batch_size=4")
    ada, progress = rounds.game.tricks["ada"], Progress()
    assert isinstance(ada, ADA)
    for step in range(6):
        rounds.play(progress)
        assert ada.p.item() == pytest.approx(min(step / 4, 1) * 0.6)
    assert not ada.signs.any()


def test_a_share_of_pictures_is_changed() -> None:
    torch.manual_seed(0)
    x = torch.rand(400, 1, 8, 8)
    trick = ADA(p=0.25, augmentations=["blit"])
    batch = Batch({}, {}, torch.zeros(()))
    changed = [(a - b).abs().max() > 1e-4 for a, b in zip(trick.augment(x, batch), x, strict=True)]
    # a flip in 1 of 8, a turn in 3 of 16, a shift that is seldom none: together about 45 %
    assert sum(changed) / len(x) == pytest.approx(1 - (1 - 0.125) * (1 - 0.1875) * (1 - 0.25), abs=0.08)
    assert torch.equal(ADA(p=0.0).augment(x, batch).shape and x, x)


def test_without_a_strength_logits_need_a_sign() -> None:
    with pytest.raises(UserError, match=r"set tricks\.ada\.p"):
        build_game(config(*WORDS, "loss=r3"))
    with pytest.raises(ValueError, match="p must be 1 or less"):
        ADA(p=1.5)
