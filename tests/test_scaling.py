"""The model of more GPUs: what it says where one can work it out."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

MODEL = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "scaling.py"))
Turn, Links = MODEL["Turn"], MODEL["Links"]
reduce_seconds, round_seconds = MODEL["reduce_seconds"], MODEL["round_seconds"]


def test_a_ring_sends_nearly_twice_the_bytes_whatever_its_length() -> None:
    links = Links(inside=100.0, between=10.0, per_node=8, latency=0.0)
    assert reduce_seconds(800.0, 1, links) == 0
    assert reduce_seconds(800.0, 2, links) == pytest.approx(8.0)
    assert reduce_seconds(800.0, 8, links) == pytest.approx(14.0)
    assert reduce_seconds(800.0, 16, links) == pytest.approx(150.0)  # its slowest link is between nodes


def test_a_message_costs_its_latency() -> None:
    assert reduce_seconds(0.0, 8, Links(latency=1.0)) == pytest.approx(14.0)


def test_a_round_is_as_fast_as_what_does_not_shrink() -> None:
    turns = [Turn(5, 0.0, 0.010), Turn(1, 0.0, 0.012)]
    free = Links(latency=0.0)
    assert round_seconds(turns, 1, 0.002, free) == pytest.approx(0.062)
    assert round_seconds(turns, 4, 0.0, free) == pytest.approx(0.062 / 4)
    assert round_seconds(turns, 4, 0.002, free) == pytest.approx(0.012 + 0.050 / 4)
    assert round_seconds(turns, 4, 0.002, free, larger_batch=True) == pytest.approx(0.062)
