"""Pictures of captions are judged by what they show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import CPU, config
from torch import Tensor

from gantrain.commands.assembly import build_game, build_metrics, plain
from gantrain.config import build
from gantrain.data import DataContext, DigitsCaptions
from gantrain.errors import UserError
from gantrain.metrics import AsAsked, Evaluation, RealData

SOURCE = DigitsCaptions(pictures=1500)


@pytest.fixture(scope="module")
def real() -> RealData:
    return RealData(SOURCE, DataContext(Path(), CPU))


def evaluation(real: RealData, asked: dict[str, int], n: int = 150) -> Evaluation:
    """Real held-out pictures stand for generated ones, with other values of some facts asked for."""

    def sets(n: int) -> Iterator[dict[str, Tensor]]:
        for data in real.batches("held_out", n):
            said = data["said"].clone()
            for fact, counts in asked.items():
                column = ["digit", "size", "place", "colour"].index(fact)
                said[:, column] = (said[:, column] + 1) % counts
            yield {**data, "said": said, "samples": data["real"]}

    return Evaluation(real, lambda n: (part["samples"] for part in sets(n)), sets=sets)


def test_true_pictures_are_as_asked(real: RealData) -> None:
    figures = AsAsked(150)(evaluation(real, {}))
    assert set(figures) == set(AsAsked.keys)
    assert figures["digit_as_asked"] > 0.9
    assert min(figures[f"{fact}_as_asked"] for fact in ("size", "place", "colour")) > 0.98
    assert figures["as_asked"] > 0.88


@pytest.mark.parametrize("fact", ["digit", "size", "place", "colour"])
def test_what_was_asked_and_is_not_there_counts(real: RealData, fact: str) -> None:
    figures = AsAsked(150)(evaluation(real, {fact: {"digit": 10, "size": 2, "place": 5, "colour": 6}[fact]}))
    assert figures.pop(f"{fact}_as_asked") < 0.1
    assert figures.pop("as_asked") < 0.1
    assert min(figures.values()) > 0.9


def test_its_protocol_says_who_names_digits(real: RealData) -> None:
    protocol = AsAsked(150).protocol(evaluation(real, {}))
    assert protocol.split == "held_out"
    assert "held-out real pictures right" in protocol.settings["digits by"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dataset=digits_captions", "model=dcgan"], "needs a game that is told captions"),
        (["dataset=digits"], "dataset=digits_captions alone"),
    ],
)
def test_it_needs_captions(words: list[str], sentence: str) -> None:
    cfg = config(*words, "metrics=as_asked")
    source = build(plain(cfg.dataset), "dataset")
    with pytest.raises(UserError, match=sentence):
        build_metrics(cfg, source, build_game(cfg))


def test_more_are_judged_than_there_are_captions(real: RealData) -> None:
    """Then captions are asked for again, with other noise."""
    figures = AsAsked(400)(evaluation(real, {}))
    assert figures["size_as_asked"] > 0.98
    assert torch.tensor(list(figures.values())).isfinite().all()
