"""Whether a run works, in one sentence, with its evidence and one thing to try."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gantrain.health.facts import Facts
from gantrain.health.findings import LONGER, Finding, Verdict, by_player, percent
from gantrain.health.readings import AGAINST_START, WORSE, Reading, is_of, lower_is_better, read_figures

MEASURE = "measure it: gantrain evaluate run=…"
TAKE_BEST = "take the best checkpoint: gantrain sample run=… checkpoint=best"
IMPROVING = 0.1
"""By so much of itself a figure must have improved in the last third of a run that is still improving."""
LEAST = 0.001
"""Below which an energy distance is not told apart from 0."""
MOST_LINES = 2
"""Findings in the evidence; all are in the log, in status.json and on the report."""
MOST_WORDS = 3
"""Figures in a sentence."""


class History:
    """The first and the last numbers of each tag, and those of figures over time."""

    def __init__(self) -> None:
        self.step = 0
        self.first: dict[str, float] = {}
        self.latest: dict[str, float] = {}
        self._figures: dict[str, list[tuple[int, float]]] = {}

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        self.step = max(self.step, step)
        self.first = {**numbers, **self.first}
        self.latest |= numbers
        for tag, value in numbers.items():
            if tag.startswith("metrics/") and math.isfinite(value):
                self._figures.setdefault(tag, []).append((step, value))

    def improving(self, tag: str) -> bool:
        """Whether a figure got better by a tenth in the last third of the run."""
        lower = lower_is_better(tag)
        points = self._figures.get(tag, [])
        before = [value for step, value in points if step <= self.step * 2 / 3]
        if not before or len(points) < 3:
            return False
        then, now = (min(before) if lower else max(before)), points[-1][1]
        gained = then - now if lower else now - then
        return gained > IMPROVING * abs(then)

    def passed(self, tag: str) -> bool:
        """Whether a figure was better by a tenth before than it is now."""
        values = [value for _, value in self._figures.get(tag, [])]
        if len(values) < 3:
            return False
        lower, now = lower_is_better(tag), values[-1]
        lost = now - min(values) if lower else max(values) - now
        return lost > IMPROVING * abs(min(values) if lower else max(values))

    def best(self, tag: str) -> tuple[int, float] | None:
        """Where a figure that has become worse since was at its best: the step, and what it was.

        Only of figures whose size means little, and where more was lost than a twentieth of what the run had gained:
        near its end a small figure is mostly chance.
        """
        points = self._figures.get(tag, [])
        if len(points) < 3 or not is_of(tag.removeprefix("metrics/"), AGAINST_START):
            return None
        step, best = min(points, key=lambda point: point[1])
        now, gained = points[-1][1], points[0][1] - best
        lost = now > (WORSE if gained > 0 else 2 * WORSE) * best > 0 and now - best > gained / 20
        return (step, best) if lost else None


def judge(facts: Facts, figures: Mapping[str, float], holding: Sequence[Finding], history: History) -> Verdict:
    """The verdict on a run.

    Args:
        figures: of its end.
        holding: what is wrong with it, causes first.
    """
    readings = read_figures(figures, facts, history.first)
    verdict = _judge(facts, readings, holding, history)
    worse = {r.tag: lost for r in readings if (lost := history.best(r.tag))}
    if not worse or any(found.severity == "failure" for found in holding):
        return verdict
    tag = facts.best if facts.best in worse else next(iter(worse))
    step, best = worse[tag]
    name = tag.removeprefix("metrics/")
    said = f"{name} was better: {best:.3g} at step {step:,}, {figures[tag]:.3g} now"
    advice = TAKE_BEST if tag == facts.best else f"keep the best checkpoint next time: metrics.best={tag}"
    return replace(verdict, evidence=(said, *verdict.evidence), advice=verdict.advice if holding else advice)


def _judge(facts: Facts, readings: Sequence[Reading], holding: Sequence[Finding], history: History) -> Verdict:
    good, bad = ([r for r in readings if r.quality == quality] for quality in ("good", "bad"))
    seen = _what_is_seen(facts, history)
    said = tuple(f"{found.title}: {found.evidence}" for found in holding)
    words = _words(readings)
    if any(found.severity == "failure" for found in holding):
        sentence = f"it does not work: {holding[0].title}"
        return Verdict("failing", sentence, (holding[0].evidence, *said[1:MOST_LINES], *words[:1]), holding[0].advice)
    if bad:
        advice = holding[0].advice if holding else _longer(facts, history)
        proofs = [reading for reading in good if not is_of(reading.tag.removeprefix("metrics/"), ("diversity",))]
        failing = len(bad) > len(proofs)  # that samples vary says little: noise varies too
        state = "failing" if failing else "doubtful"
        sentence = f"it does not work yet: {bad[0].words}" if failing else f"it works in part: {_joined(words)}"
        return Verdict(state, sentence, (*said[:MOST_LINES], *seen), advice)  # type: ignore[arg-type]
    if holding:
        sentence = f"{_joined(words)}, but {holding[0].title}" if words else f"doubtful: {holding[0].title}"
        return Verdict("doubtful", sentence, (holding[0].evidence, *said[1:MOST_LINES], *seen), holding[0].advice)
    if good:
        fair = [r for r in readings if r.quality == "fair"]
        state, start = ("working", "it works") if len(fair) <= len(good) else ("doubtful", "it works in part")
        return Verdict(state, f"{start}: {_joined(words)}", seen, _next(facts, readings, history))  # type: ignore[arg-type]
    if readings and any(r.quality == "fair" for r in readings):
        return Verdict("doubtful", f"it works in part: {_joined(words)}", seen, _on(facts, history))
    sentence = "no sign of trouble, but nothing measured tells how good the samples are"
    return Verdict("unknown", sentence, (*words, *seen), MEASURE)


def _words(readings: Sequence[Reading]) -> list[str]:
    """The worst first, then as they stand."""
    order = {"bad": 0, "good": 1, "fair": 1, "unknown": 2}
    return [reading.words for reading in sorted(readings, key=lambda r: order[r.quality])]


def _joined(words: Sequence[str]) -> str:
    return ", ".join(words[:MOST_WORDS])


def _what_is_seen(facts: Facts, history: History) -> tuple[str, ...]:
    """What the last lines show of a run with which nothing is wrong."""
    latest, found = history.latest, []
    accuracy = by_player(latest, "accuracy")
    if accuracy and facts.kind != "critic":
        value = sum(accuracy.values()) / len(accuracy)
        said = "D and G are in balance" if 0.45 < value < 0.9 else "D is ahead" if value >= 0.9 else "D is behind"
        found.append(f"{said} (accuracy {value:.2f})")
    varied = latest.get("health/diversity")
    if varied is not None:
        found.append(f"samples vary {percent(varied)} as much as real ones")
    near = latest.get("health/energy_distance")
    start = history.first.get("health/energy_distance")
    if near is not None and start is not None and math.isfinite(near) and math.isfinite(start):
        shown = f"{near:.2g}" if near >= LEAST else f"below {LEAST}"
        found.append(f"energy distance to real ones {shown}, {start:.2g} at the start")
    if latest.get("health/missing_classes") == 0 and facts.classes and facts.classes > 1 and not facts.modes:
        found.append(f"each of the {facts.classes} classes is among them")
    return ("; ".join(found),) if found else ()


def _next(facts: Facts, readings: Sequence[Reading], history: History) -> str:
    for reading in readings:
        if history.improving(reading.tag):
            return f"it still improves; {_longer(facts, history)}"
    if any(reading.quality == "fair" for reading in readings):
        return _on(facts, history)
    return "another seed, to see how far that was luck: seed=1"


def _on(facts: Facts, history: History) -> str:
    return TAKE_BEST if facts.best and history.passed(facts.best) else _longer(facts, history)


def _longer(facts: Facts, history: History) -> str:
    return LONGER + facts.longer(history.step)
