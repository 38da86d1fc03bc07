"""Runs are ranked by figures that were measured alike, or it is said why not."""

from __future__ import annotations

from gantrain.commands.ranking import Figure, best_of

ALIKE = {"metric": "FID", "data": "Mnist", "averaged": True, "samples": 5000, "better": "lower"}


def test_the_better_end_decides() -> None:
    for better, best in (("lower", "001, 2.5"), ("higher", "000, 30")):
        held = {**ALIKE, "better": better}
        assert best_of("fid", {"000": Figure(30.0, held), "001": Figure(2.5, held)}) == f"best fid: {best}"


def test_unlike_protocols_are_not_ranked() -> None:
    figures = {"000": Figure(3.0, ALIKE), "001": Figure(2.0, {**ALIKE, "samples": 1000})}
    assert best_of("fid", figures) == "fid is not ranked: samples is 5000 in 000; samples is 1000 in 001"
    figures["001"] = Figure(2.0, None)
    assert best_of("fid", figures) == "fid is not ranked: of 001 nobody kept how they were measured"


def test_what_cannot_be_compared_is_left_out() -> None:
    assert best_of("fid", {"000": Figure(3.0, ALIKE)}) is None
    assert best_of("fid", {"000": Figure(3.0, ALIKE), "001": Figure(float("nan"), ALIKE)}) is None
    neither = {**ALIKE, "better": None}
    assert best_of("mean", {"000": Figure(3.0, neither), "001": Figure(2.0, neither)}) is None
