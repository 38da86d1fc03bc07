"""Everything that watches a run, and what it adds up to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gantrain.health.balance import DiscriminatorFooled, DiscriminatorWins, Oscillates, PenaltyDwarfs
from gantrain.health.data import ConstantData, FewSamples, LabelsSayNothing, OneClass
from gantrain.health.facts import Facts
from gantrain.health.findings import Detector, Finding, Verdict
from gantrain.health.networks import AverageFar, DeadUnits, DiscriminatorFlat
from gantrain.health.samples import Collapse, Copies, DiscriminatorMemorises, ModeDropping, SpectrumOff
from gantrain.health.updates import NotFinite, NoUpdates, RunsAway
from gantrain.health.verdict import History, judge

DETECTORS = (
    *(NotFinite, ConstantData, NoUpdates, DeadUnits, OneClass, LabelsSayNothing, RunsAway, PenaltyDwarfs),
    *(
        DiscriminatorFlat,
        DiscriminatorFooled,
        DiscriminatorWins,
        AverageFar,
        Collapse,
        ModeDropping,
        FewSamples,
        Copies,
    ),
    *(DiscriminatorMemorises, Oscillates, SpectrumOff),
)
"""Causes before what follows from them: in this order they are told in a verdict."""


class Health:
    """Sees the numbers that a run logs, and tells what is wrong and whether it works.

    All of it follows from the lines of metrics.jsonl and from the run's config: whoever replays them finds the same.

    Args:
        facts: of the run.
        detectors: all of gantrain's, unless others are given.
    """

    def __init__(self, facts: Facts, detectors: Sequence[Detector] | None = None) -> None:
        self.facts = facts
        self._given = detectors
        self._start()

    def _start(self) -> None:
        self._detectors = [kind(self.facts) for kind in DETECTORS] if self._given is None else list(self._given)
        self._found: dict[str, tuple[Finding, Detector | None]] = {}
        self._history = History()

    @property
    def findings(self) -> list[Finding]:
        """All that was found so far, in the order of its finding."""
        return [found for found, _ in self._found.values()]

    @property
    def holding(self) -> list[Finding]:
        """What was found, still is so and is more than a hint, causes first."""
        lasting = [(found, by) for found, by in self._found.values() if by is None or by.holds()]
        lasting = [(found, by) for found, by in lasting if found.severity != "hint"]
        order = {id(detector): place for place, detector in enumerate(self._detectors)}
        return [found for found, by in sorted(lasting, key=lambda pair: order.get(id(pair[1]), -1))]

    def see(self, step: int, numbers: Mapping[str, float]) -> list[Finding]:
        """Takes the numbers of a line; returns what is found for the first time. What is not finite is NaN."""
        self._history.add(step, numbers)
        new = []
        for detector in self._detectors:
            found = detector.see(step, numbers)
            if found is None:
                continue
            known = self._found.get(found.name)
            if known is None:
                new.append(found)
            self._found[found.name] = (replace(found, step=known[0].step) if known else found, detector)
        return new

    def add(self, found: Finding) -> bool:
        """Takes up what was found elsewhere, in the place of the same that was found before; returns whether it is new.

        Who finds it elsewhere knows more: only the step of the first finding stays.
        """
        known = self._found.get(found.name)
        self._found[found.name] = (replace(found, step=known[0].step) if known else found, None)
        return known is None

    def replay(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Starts anew, and sees the lines of metrics.jsonl, in which null stands for no finite number.

        Detectors that were given start as they are: they must be new.
        """
        self._start()
        for line in lines:
            numbers = {k: math.nan if v is None else v for k, v in line.items() if k != "step" and _is_number(v)}
            self.see(line["step"], numbers)

    def verdict(self, figures: Mapping[str, float]) -> Verdict:
        """Whether the run works.

        Args:
            figures: `metrics/…` of its end.
        """
        return judge(self.facts, figures, self.holding, self._history)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
