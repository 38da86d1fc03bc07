"""A run's health while it trains: what is found is said once, and kept beside the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict

from gantrain.health import Finding, Health, Verdict
from gantrain.report.console import Console
from gantrain.report.recorder import Recorder
from gantrain.runs import RunFolder


class Watch:
    """Hands the numbers of a run to its health, and says what that finds: in the log, TensorBoard and status.json.

    Args:
        probe: a step to numbers of a look at the samples; none in games of another kind.
    """

    def __init__(
        self,
        health: Health,
        folder: RunFolder,
        recorder: Recorder,
        console: Console,
        probe: Callable[[int], dict[str, float]],
    ) -> None:
        self.health = health
        self._folder, self._recorder, self._console, self._probe = folder, recorder, console, probe
        self._told: set[str] = set()

    def replay(self) -> None:
        """Sees the lines that stay when a run goes on, and says nothing: it was said then."""
        self.health.replay(self._folder.numbers.read())
        self._keep(None)  # what was found after the step from which it goes on is no longer so

    def see(self, step: int, numbers: Mapping[str, float]) -> None:
        """Sees numbers that were just logged."""
        for found in self.health.see(step, {tag: _as_logged(value) for tag, value in numbers.items()}):
            self._say(found)

    def look(self, step: int) -> None:
        """Logs what a look at the samples shows, and sees it."""
        numbers = self._probe(step)
        if numbers:
            self._recorder.numbers(numbers, step)
            self.see(step, numbers)

    def hopeless(self, step: int, steps: int, share: float | None) -> str | None:
        """Why a run may be given up, of which a `share` of its steps is over: a failure that its health still finds."""
        if share is None or step < share * steps:
            return None
        failing = next((found for found in self.health.holding if found.severity == "failure"), None)
        return None if failing is None else f"given up (trainer.give_up={share:g}): {failing.title}"

    def add(self, found: Finding) -> None:
        """Takes up what was found elsewhere, such as a loss that is no number, in the place of what was said of it."""
        self.health.add(found)
        self._say(found)
        self._keep(None)

    def judge(self, figures: Mapping[str, float]) -> Verdict:
        """Whether the run works, as far as it went; kept in status.json."""
        verdict = self.health.verdict(figures)
        self._keep(verdict)
        return verdict

    def _say(self, found: Finding) -> None:
        self._keep(None)
        if found.name in self._told:  # a run that went back finds it once more
            return
        self._told.add(found.name)
        self._console.say(f"health  step {found.step:,}: {found.title}: {found.evidence}")
        self._console.say(f"try     {found.advice}")
        self._recorder.note(f"health/{found.name}", f"**{found.title}**: {found.evidence}. {found.advice}", found.step)

    def _keep(self, verdict: Verdict | None) -> None:
        findings = [asdict(found) for found in self.health.findings]
        self._folder.status.judge(findings, asdict(verdict) if verdict else None)


def _as_logged(value: float) -> float:
    """As metrics.jsonl keeps it, so that reading it again finds the same."""
    return float(f"{value:.7g}") if math.isfinite(value) else math.nan
