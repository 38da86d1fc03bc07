"""What a figure says about a run, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gantrain.health.facts import Facts
from gantrain.health.findings import percent

Quality = Literal["good", "fair", "bad", "unknown"]


@dataclass(frozen=True)
class Reading:
    """Of a figure: how good it is, where that can be told, and in words."""

    tag: str
    quality: Quality
    words: str


Reader = Callable[[float, Facts], tuple[Quality, str]]


def graded(value: float, good: float, bad: float) -> Quality:
    """Good at `good` and beyond, bad at `bad` and beyond, fair between; either may be the larger one."""
    sign = 1 if good > bad else -1
    if sign * value >= sign * good:
        return "good"
    return "bad" if sign * value <= sign * bad else "fair"


def _modes(value: float, facts: Facts) -> tuple[Quality, str]:
    if not facts.modes:
        return "unknown", f"{value:,.0f} modes"
    return graded(value / facts.modes, 0.99, 0.75), f"{value:,.0f} of {facts.modes:,} modes"


def _wasserstein(value: float, facts: Facts) -> tuple[Quality, str]:
    if not facts.std:
        return "unknown", f"Wasserstein-1 {value:.3g}"
    share = value / facts.std
    return graded(share, 0.1, 0.5), f"generated numbers are {share:.2g} σ from the real distribution"


def _error(value: float, facts: Facts) -> tuple[Quality, str]:
    chance = 1 - 1 / (facts.classes or 10)
    return graded(value / chance, 0.15, 0.6), f"{percent(1 - value)} of held-out samples named right"


def _absent(value: float, facts: Facts) -> tuple[Quality, str]:
    of = f" of {facts.classes}" if facts.classes else ""
    return ("good", "every class is generated") if value == 0 else ("bad", f"{value:.0f}{of} classes are missing")


def _share(words: str, good: float, bad: float) -> Reader:
    return lambda value, facts: (graded(value, good, bad), words.format(percent(value)))


def _figure(words: str, good: float, bad: float) -> Reader:
    return lambda value, facts: (graded(value, good, bad), words.format(f"{value:.3g}"))


def _diversity(value: float, facts: Facts) -> tuple[Quality, str]:
    return graded(min(value, 2 - value), 0.8, 0.4), f"samples vary {percent(value)} as much as real ones"


READERS: dict[str, Reader] = {
    "modes": _modes,
    "high_quality": _share("{} of samples within 3σ", 0.8, 0.3),
    "reverse_kl": _figure("shares of modes differ by {} nats", 0.1, 0.5),
    "wasserstein1": _wasserstein,
    "js": _figure("Jensen-Shannon divergence {} of at most 0.69", 0.05, 0.2),
    "test_error": _error,
    "code_error": _error,
    "missing_classes": _absent,
    "precision": _share("{} of samples look real", 0.6, 0.2),
    "recall": _share("{} of real samples are within reach", 0.4, 0.1),
    "density": _figure("density {} (1 as real)", 0.7, 0.2),
    "coverage": _share("{} of real samples are covered", 0.7, 0.2),
    "diversity": _diversity,
    "memorised": _share("{} of samples are copies of training samples", 0.05, 0.2),
    "fid": _figure("FID {}", 20.0, 100.0),
}
"""By the figure's name. `fid` is Inception's, the only space whose figures people know by heart."""
IN_ANY_SPACE = {"precision", "recall", "density", "coverage", "diversity", "memorised", "missing_classes"}
"""Whose figures mean the same in each space."""
AGAINST_START = ("fid", "kid", "mind", "spectrum_error")
"""Whose size depends on space and data: they are set against the run's own beginning."""
LOWER = (
    *(*AGAINST_START, "test_error", "code_error", "missing_classes", "class_total_variation", "memorised"),
    *("wasserstein1", "js", "kl", "reverse_kl", "duality_gap"),
)
"""Figures that are better the lower they are; others are the better the higher."""
WORSE = 1.2
"""So many times as large as its best is a figure of a run that has become worse."""
RISEN = 1.5
"""So many times what it was at the beginning is a bad figure."""


def is_of(name: str, names: Sequence[str]) -> bool:
    """Whether a figure is one of these, in whatever space: fid_classifier is one of fid."""
    return any(name == one or name.startswith(f"{one}_") for one in names)


def lower_is_better(tag: str) -> bool:
    return is_of(tag.removeprefix("metrics/"), LOWER)


def read_figures(figures: Mapping[str, float], facts: Facts, first: Mapping[str, float]) -> list[Reading]:
    """What figures say: in their order those with a sense of their own, then those that are set against the beginning.

    Those that nobody reads are left out.

    Args:
        figures: by tag, `metrics/…`.
        first: each as it was measured first in this run.
    """
    found, against_start = [], []
    for tag, value in figures.items():
        name = tag.removeprefix("metrics/")
        if not tag.startswith("metrics/"):
            continue
        if not math.isfinite(value):
            found.append(Reading(tag, "bad", f"{name} is no number"))
            continue
        base = max((key for key in IN_ANY_SPACE if name.startswith(f"{key}_")), key=len, default=name)
        if base in READERS:
            quality, words = READERS[base](value, facts)
            found.append(Reading(tag, quality, words))
        elif is_of(name, AGAINST_START):
            against_start.append(_against_start(tag, name, value, first.get(tag, value)))
    return found + against_start


def _against_start(tag: str, name: str, value: float, start: float) -> Reading:
    """Half of what it was is a good sign and no more: who began well has little left to gain."""
    if value > RISEN * start > 0:
        return Reading(tag, "bad", f"{name} {value:.3g}, was {start:.3g}")
    if start <= value or start <= 0:
        return Reading(tag, "unknown", f"{name} {value:.3g}")
    return Reading(tag, "fair" if value <= start / 2 else "unknown", f"{name} {value:.3g}, from {start:.3g}")
