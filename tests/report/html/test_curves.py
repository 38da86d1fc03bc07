"""Curves on a page: thinned, named, set against each other."""

from __future__ import annotations

import math
import random

import pytest

from gantrain.report.html.comparison import effect_size, spread_of
from gantrain.report.html.curves import POINTS, Chart, Curve, charts_of, curves_of


def test_a_thinned_curve_keeps_spikes_ends_and_order() -> None:
    values: list[float | None] = [math.sin(k / 500) for k in range(50_000)]
    values[12_345], values[40_000] = 99.0, -77.0
    thin = Curve(range(50_000), values).thinned()
    assert 1000 < len(thin.steps) <= POINTS
    assert list(thin.steps) == sorted(set(thin.steps))
    assert (thin.steps[0], thin.steps[-1]) == (0, 49_999)
    kept = dict(zip(thin.steps, thin.values, strict=True))
    assert (kept[12_345], kept[40_000]) == (99.0, -77.0)
    assert all(kept[step] == values[step] for step in kept)


def test_short_curves_stay_and_gaps_stay_gaps() -> None:
    short = Curve(range(POINTS), [0.5] * POINTS)
    assert short.thinned() is short
    values = [None if 20_000 <= k < 30_000 else float(k) for k in range(50_000)]
    thin = Curve(range(50_000), values).thinned()
    lost = [step for step, value in zip(thin.steps, thin.values, strict=True) if value is None]
    assert lost
    assert all(20_000 <= step < 30_000 for step in lost)
    nothing = Curve(range(10_000), [None] * 10_000).thinned()
    assert set(nothing.values) == {None}


def test_curves_come_from_lines_whatever_stands_in_them() -> None:
    lines = [
        {"step": 1, "a": 1, "b": None, "c": "text", "d": True},
        {"step": 2, "a": 2.5, "b": 1e999},
        {"step": 2, "a": 3.0},  # a run that went on wrote it again
    ]
    found = curves_of(lines)
    assert set(found) == {"a", "b"}
    assert (list(found["a"].steps), list(found["a"].values)) == ([1, 2], [1.0, 3.0])
    assert list(found["b"].values) == [None, None]


def test_every_curve_is_on_one_chart_and_is_named_by_what_tells_it_apart() -> None:
    tags = ["loss/generator/total", "loss/generator/adversarial", "loss/discriminator/adversarial", "metrics/fid"]
    tags += ["health/dead/generator", "lr/generator", "logits/discriminator/real", "own", "tricks/ada_p"]
    charts = charts_of(tags)
    assert sorted(tag for chart in charts for tag in chart.tags) == sorted(tags)
    assert charts[0].title == "fid"
    loss = next(chart for chart in charts if chart.title == "loss")
    assert loss.labels == ["generator", "discriminator"]
    assert Chart("x", ["logits/discriminator_2/real", "logits/discriminator_2/fake"]).labels == ["real", "fake"]
    assert charts_of(["speed/data_wait"]) == []


def test_the_effect_of_a_choice_is_a_share_of_the_spread() -> None:
    """Groups that say all, that say nothing, and Hays' formula by hand: two groups (1, 2, 3) and (3, 4, 5)."""
    assert effect_size([[1.0, 1.0], [5.0, 5.0]]) == 1
    draw = random.Random(0)
    noise = [[draw.gauss(0, 1) for _ in range(50)] for _ in range(8)]
    assert effect_size(noise) < 0.05
    # between 6, within 4, so mean square within 1: (6 - 1) / (10 + 1)
    assert effect_size([[1, 2, 3], [3, 4, 5]]) == pytest.approx(5 / 11)
    assert effect_size([[1.0], [2.0]]) == effect_size([[1.0, 2.0]]) == effect_size([]) == 0


def test_the_spread_over_seeds_goes_from_lowest_to_highest() -> None:
    first, second = Curve([1, 2, 3], [1.0, 2.0, None]), Curve([1, 2], [3.0, 6.0])
    both = spread_of([first, second])
    assert both == {"x": [1, 2], "y": [2.0, 4.0], "low": [1.0, 2.0], "high": [3.0, 6.0]}
    assert set(spread_of([first])) == {"x", "y"}
