"""What was found about a run, in words."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from gantrain.health.facts import Facts

LONGER = "train longer: gantrain run=…"
Severity = Literal["hint", "warning", "failure"]
"""A hint is worth a look and no more: the verdict does not follow from it."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, since when, what shows it, and one thing to try."""

    name: str
    """The detector's, such as collapse."""
    step: int
    """When it was found."""
    title: str
    """What is wrong, in a few words."""
    evidence: str
    """The numbers that show it, in a sentence."""
    advice: str
    """One thing to try, in a sentence, with the option to type."""
    severity: Severity = "warning"


@dataclass(frozen=True)
class Verdict:
    """Whether a run works, in one sentence, with what shows it and one thing to try."""

    state: Literal["working", "doubtful", "failing", "unknown"]
    sentence: str
    evidence: tuple[str, ...] = ()
    advice: str = ""


class Detector(ABC):
    """Watches the numbers of a run, step by step.

    What it finds follows from the lines of metrics.jsonl and from the run's config alone, so that a run which goes on,
    and a report that is made later, find the same.
    """

    @abstractmethod
    def see(self, step: int, numbers: Mapping[str, float]) -> Finding | None:
        """Takes the numbers that were logged at a step, and tells what they show; None while all is well."""

    def holds(self) -> bool:
        """Whether what it found, if anything, is still so."""
        return True


class Certain(str):
    """What a line shows, by a figure of so many samples that one line is enough."""


class Lasting(Detector):
    """Finds what shows in several lines in a row, and sees it go again.

    A subclass says what a line shows (`look`), and what to try (`advice`).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    severity: Severity = "warning"
    patience: ClassVar[int] = 3
    """Lines in a row that must show it."""
    warm_up: ClassVar[float] = 0.0
    """The share of the run in which nothing is judged yet, at most `LONGEST` steps."""
    LONGEST: ClassVar[int] = 2000
    sees_all: ClassVar[bool] = False
    """It sees numbers that are not finite too; others are spared them."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.latest: dict[str, float] = {}
        """The last number of each tag, this line's among them."""
        self._in_a_row = self._well = 0

    @abstractmethod
    def look(self, step: int, numbers: Mapping[str, float]) -> str | None:
        """What shows it in a line, as a sentence; "" where all is well, None where the line does not say."""

    @abstractmethod
    def advice(self) -> str:
        """One thing to try."""

    def see(self, step: int, numbers: Mapping[str, float]) -> Finding | None:
        if not self.sees_all:
            numbers = {tag: value for tag, value in numbers.items() if math.isfinite(value)}
        self.latest |= numbers
        shown = self.look(step, numbers)
        if shown is None or step < min(self.warm_up * self.facts.steps, self.LONGEST):
            return None
        certain = isinstance(shown, Certain)
        if not shown:
            self._well += self.patience if certain else 1
            if not self.holds() or self._well >= self.patience:
                self._in_a_row = 0
            return None
        self._in_a_row, self._well = self.patience if certain else self._in_a_row + 1, 0
        if self._in_a_row < self.patience:
            return None
        return Finding(self.name, step, self.title, shown, self.advice(), self.severity)

    def holds(self) -> bool:
        return self._in_a_row >= self.patience


def by_player(numbers: Mapping[str, float], prefix: str) -> dict[str, float]:
    """The numbers whose tag is this and a player: of health/update those of health/update/<player>."""
    start = prefix + "/"
    return {tag[len(start) :]: value for tag, value in numbers.items() if tag.startswith(start)}


def percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else f"{100 * share:.2g} %"
