"""What several processes cannot share is refused in a sentence before any data is read."""

from __future__ import annotations

import pytest
import torch
from conftest import config

from gantrain.commands.assembly import build_game
from gantrain.commands.budgeting import planned
from gantrain.errors import UserError
from gantrain.report.console import Console
from gantrain.training.machine import choose_device

DIGITS = ["dataset=digits", "networks@model=mlp", "loss=nonsaturating", "tricks=[]", "trainer.batch_size=12"]


@pytest.mark.parametrize(
    ("words", "devices", "sentence"),
    [
        (
            [],
            5,
            r"batch_size=12 is the whole run's, and 5 processes cannot share it equally: make it a multiple",
        ),
        (["trainer.accumulate=4"], 2, r"2 processes times trainer.accumulate=4 .* a multiple of 8"),
        (["tricks=[packing]", "tricks.packing.m=4"], 2, r"12 samples are not whole packs of 4 for each of 2 processes"),
        (["tricks=[unrolled]"], 2, "unrolled moves the discriminator on the whole batch, which 2 processes cannot do"),
        (
            ["model=madgan", "model.generators=4"],
            2,
            "2 processes cannot make 12 samples by 4 generators in equal",
        ),
        (["model=triplegan", "model.alpha=0.25"], 2, "model.alpha=0.25 of 12 samples are 3, which 2 processes cannot"),
        (["loss=ragan", "trainer.accumulate=2"], 2, "compares means of the whole batch, but trainer.accumulate=2"),
    ],
)
def test_what_does_not_fall_into_equal_shares(words: list[str], devices: int, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build_game(config(*DIGITS, *words), devices=devices)


@pytest.mark.parametrize("words", [["loss=ragan"], ["tricks=[topk,feature_matching]"], ["tricks=[minibatch_stddev]"]])
def test_what_is_put_together_is_not(words: list[str]) -> None:
    if "tricks=[topk,feature_matching]" in words:
        words = [*words, "tricks.feature_matching.adversarial=true"]
    build_game(config(*DIGITS, *words), devices=2)


@pytest.mark.parametrize("word", ["cuda:1", "mps"])
def test_one_device_for_all(word: str) -> None:
    with pytest.raises(UserError, match=f"trainer.device={word} names one device, but torchrun started several"):
        choose_device(word, local=0)


def test_each_process_has_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    assert choose_device("auto", local=1) == torch.device("cuda", 1)
    assert choose_device("cpu", local=1) == torch.device("cpu")
    with pytest.raises(UserError, match="has 2 CUDA devices, and torchrun started process 3 here"):
        choose_device("auto", local=2)


def test_a_budget_is_measured_by_one() -> None:
    words = ["dataset=digits", "budget=1m"]
    from gantrain.config import compose, hydra_at

    with hydra_at(), pytest.raises(UserError, match="budget=1m measures how fast one process trains, but there are 2"):
        planned(words, compose(words), "train", Console(quiet=True), ranks=2)
