"""Ranges of settings: what a constructor asks of its numbers, in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

POSITIVE = "(0, inf)"
NOT_NEGATIVE = "[0, inf)"
FINITE = "(-inf, inf)"
COUNT = "[1, inf)"
SHARE = "[0, 1]"
WIDTH = "[1, 65536]"
"""Of layers, codes and sides of pictures: far beyond what fits into memory, so that a slip is not asked of it."""
LENGTH = "[1, 16777216]"
"""Of sound, in samples."""
SAMPLES = "[1, 100000000]"
"""How many are kept or drawn at once."""

FLOAT32 = 3.4e38
INT64 = 2**63 - 1


class HasEnds(Protocol):
    """A number that moves between ends."""

    def ends(self) -> tuple[float, ...]: ...


Number = int | float
Numbers = Number | HasEnds | Sequence["Numbers"] | Mapping[str, "Numbers"] | None


def within(interval: str, /, **settings: Numbers) -> None:
    """Refuses settings that do not lie in an interval, such as `[0, 1)`; None is a setting that is not made.

    Of a list or mapping every number counts. An infinite end stands for the largest number that a tensor holds.

    Raises:
        ValueError: which begins with the setting's name.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    for setting, value in settings.items():
        for name, number in _each(setting, value):
            largest = INT64 if isinstance(number, int) else FLOAT32
            if number != number:
                wrong = "must be a number"
            elif number < low or (number == low and interval[0] == "("):
                wrong = "must be " + (f"{low:g} or more" if interval[0] == "[" else f"more than {low:g}")
            elif number > high or (number == high and interval[-1] == ")"):
                wrong = "must be " + (f"{high:.10g} or less" if interval[-1] == "]" else f"less than {high:.10g}")
            elif abs(number) > largest:
                wrong = "is too far from 0 for any tensor"
            else:
                continue
            raise ValueError(f"{name} {wrong.replace('more than 0', 'positive')}, got {number}")


def _each(name: str, value: Numbers) -> Iterator[tuple[str, Number]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _each(f"{name}.{key}", inner)
    elif isinstance(value, Sequence):
        for place, inner in enumerate(value):
            yield from _each(f"{name}[{place}]", inner)
    elif isinstance(value, (int, float)):
        yield name, value
    elif value is not None:
        for end in value.ends():
            yield name, end
