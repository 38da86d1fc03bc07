"""Tricks in a game with two generators, each judged by a discriminator of its own."""

from __future__ import annotations

import math

import pytest
from conftest import config, round_from
from two_generators import TwoGenerators

from gantrain.training.state import Progress

WORDS = ["dataset=digits", "model=dcgan_small", "loss=nonsaturating", "trainer.batch_size=8", "trainer.precision=bf16"]
LIST = "ema,experience_replay,lecam,diffaugment,consistency,mode_seeking,feature_matching,spectral_norm,topk,unrolled"
TRICKS = [*LIST.split(","), "virtual_batch_norm", "reference_batch_norm"]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_plays_with_two_generators(trick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTRAIN_TRUST", "two_generators")
    cfg = config(*WORDS, f"tricks=[{trick}]", f"model._target_=two_generators.{TwoGenerators.__name__}")
    rounds = round_from(cfg)
    progress = Progress()
    for _ in range(2):
        rounds.play(progress)
    totals = {tag: value for tag, value in rounds.meter.read().items() if tag.endswith("/total")}
    assert len(totals) == 4
    assert all(map(math.isfinite, totals.values()))
