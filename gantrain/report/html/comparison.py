"""Jobs side by side: what sets them apart, which figures may be ranked, how they spread, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from gantrain.report.html.curves import Curve, finite
from gantrain.report.html.figures import Better, better_of, conditions, unlike
from gantrain.report.html.record import Record

SEED = "seed"
"""The choice that makes no other recipe: jobs that differ in it alone are the same one again."""
NONE = "–"
"""Where a job made no such choice."""
PARTLY = "partly"
"""How a recipe stands of whose runs some have no figure."""


@dataclass(frozen=True)
class Job:
    """One of the runs that are compared."""

    name: str
    choices: Mapping[str, str]
    """What sets it apart, by key."""
    record: Record

    @property
    def figures(self) -> dict[str, float | None]:
        """The value of each figure at the highest step, by tag.

        What was measured later counts where training measured none.
        """
        found: dict[str, float | None] = {}
        for line in self._evaluations:
            found |= {tag: finite(value) for tag, value in line["figures"].items()}
        return {**found, **{tag: curve.values[-1] for tag, curve in self.record.figures.items()}}

    @property
    def _evaluations(self) -> list[Mapping[str, Any]]:
        """By the step of the checkpoint; of the same step in the order in which they were made."""
        return sorted(self.record.evaluations, key=lambda line: int(line["step"]))

    def protocol(self, tag: str) -> Mapping[str, Any] | None:
        """Under what conditions its figure was measured."""
        if tag in self.record.figures:
            return self.record.protocols.get(tag)
        kept = [line.get("protocols") for line in self._evaluations if tag in line["figures"]]
        last = kept[-1] if kept else None
        return last.get(tag) if isinstance(last, Mapping) else None


class Comparison:
    """Jobs side by side.

    Args:
        jobs: in their order; choices that all share are left out.
        first: the tag of the figure that a search compares them by, which stands before all others.
    """

    def __init__(self, jobs: Sequence[Job], first: str | None = None) -> None:
        self.first = first
        every = list(dict.fromkeys(key for job in jobs for key in job.choices))
        self.choices = [key for key in every if len({job.choices.get(key, NONE) for job in jobs}) > 1]
        self.jobs = [
            Job(job.name, {key: job.choices.get(key, NONE) for key in self.choices}, job.record) for job in jobs
        ]
        self.counted = _counted(self.jobs)
        """Whose figures are ranked."""
        figures = dict.fromkeys(tag for job in self.jobs for tag in job.figures)
        self.figures = sorted(figures, key=lambda tag: tag != first)
        self.unlike = {tag: why for tag in self.figures if (why := self._unlike(tag))}
        """Why the figures of these tags are not ranked."""

    def _unlike(self, tag: str) -> str | None:
        return unlike({job.name: job.protocol(tag) for job in self.jobs if tag in job.figures})

    @property
    def ranked(self) -> list[str]:
        """Figures that may be ranked."""
        return [tag for tag in self.figures if tag not in self.unlike]

    def best(self, tag: str) -> float | None:
        """The best value of a figure; None where it is not ranked, or neither way is better."""
        better = self.better(tag)
        values = [value for job in self.counted if (value := job.figures.get(tag)) is not None]
        if tag in self.unlike or better not in ("lower", "higher") or len(values) < 2 or min(values) == max(values):
            return None
        return max(values) if better == "higher" else min(values)

    def better(self, tag: str) -> Better:
        """Which way a figure is better, as the first job says that measured it."""
        held = (job.protocol(tag) for job in self.jobs if tag in job.figures)
        return better_of(tag, next((protocol for protocol in held if protocol), None))

    def options(self, choice: str) -> list[str]:
        """What was chosen: numbers from the lowest on, words in the order of the jobs."""
        chosen = list(dict.fromkeys(job.choices[choice] for job in self.jobs))
        with suppress(ValueError):
            return sorted(chosen, key=float)
        return chosen

    def recipes(self) -> dict[str, list[Job]]:
        """Jobs that differ in their seed alone, by what they share."""
        found: dict[str, list[Job]] = {}
        for job in self.jobs:
            shared = [f"{key}={value}" for key, value in job.choices.items() if key != SEED]
            found.setdefault("  ".join(shared) or "all", []).append(job)
        return found

    def alike(self) -> list[Comparison]:
        """Jobs in groups of which every figure was measured alike; those without figures are in the first."""
        groups: list[tuple[dict[str, Any], list[Job]]] = []
        idle = []
        for job in self.jobs:
            measured = {tag: conditions(job.protocol(tag)) for tag in job.figures}
            fitting = (group for group in groups if all(group[0].get(tag, c) == c for tag, c in measured.items()))
            group = next(fitting, None)
            if not measured:
                idle.append(job)
            elif group is None:
                groups.append((measured, [job]))
            else:
                group[0].update(measured)
                group[1].append(job)
        found = [jobs for _, jobs in groups] or [[]]
        return [Comparison(jobs, self.first) for jobs in ([*found[0], *idle], *found[1:])]

    def values(self, tag: str) -> dict[str, list[float]]:
        """A figure of every recipe that has it, over its seeds."""
        counted = set(map(id, self.counted))
        found = {
            name: [job.figures.get(tag) for job in jobs if id(job) in counted] for name, jobs in self.recipes().items()
        }
        return {name: kept for name, v in found.items() if (kept := [value for value in v if value is not None])}

    def over_seeds(self) -> list[str]:
        """For each figure that may be ranked a sentence: which recipe is best over seeds, and which may be as good.

        Of a single recipe, what it comes to.
        """
        said = []
        for tag in self.ranked if SEED in self.choices else ():
            values, standing = self.values(tag), self.standings(tag)
            if len(self.recipes()) == 1:
                said += [
                    f"{tag.removeprefix('metrics/')}: {mean_and_spread(found)} over {len(found)} seeds"
                    for found in values.values()
                    if len(found) > 1
                ]
                continue
            best = next((name for name, state in standing.items() if state == "best"), None)
            if best is None:
                continue
            near, unknown, partly = (
                [name for name, state in standing.items() if state == kind] for kind in ("within", "unknown", PARTLY)
            )
            line = f"{tag.removeprefix('metrics/')}: {best} is best, {mean_and_spread(values[best])}"
            line += f"; within the spread of it, so no difference is told: {', '.join(near)}" if near else ""
            line += f"; one run has no spread, so no difference is told: {', '.join(unknown)}" if unknown else ""
            line += f"; not compared, for some of its runs have no such figure: {', '.join(partly)}" if partly else ""
            said.append(line)
        return said

    def standings(self, tag: str) -> dict[str, str]:
        """How each recipe stands by a figure (`standings`); those are apart of whose runs some do not have it.

        What is left of a recipe that fails now and then would be its lucky seeds.
        """
        values, recipes = self.values(tag), self.recipes()
        partly = dict.fromkeys((name for name in values if len(values[name]) < len(recipes[name])), PARTLY)
        whole = {name: v for name, v in values.items() if name not in partly}
        return standings(whole, self.better(tag)) | partly

    def told_over_seeds(self) -> list[str]:
        """These sentences of each group of jobs that were measured alike, with what sets it apart from the others."""
        groups, choices = self.alike(), {job.name: job.choices for job in self.jobs}
        said = []
        for group in groups:
            shared = [key for key in self.choices if key not in group.choices and group.jobs]
            apart = " ".join(f"{key}={choices[group.jobs[0].name][key]}" for key in shared)
            said += [f"{apart}: {line}" if len(groups) > 1 and apart else line for line in group.over_seeds()]
        return said

    def explained(self, tag: str) -> dict[str, float]:
        """Of the spread of a figure over jobs, the share that each choice explains by itself (`effect_size`)."""
        found = {}
        for choice in self.choices:
            groups: dict[str, list[float]] = {}
            for job in self.counted:
                value = job.figures.get(tag)
                if value is not None:
                    groups.setdefault(job.choices[choice], []).append(value)
            found[choice] = effect_size(list(groups.values()))
        return found


def _counted(jobs: Sequence[Job]) -> list[Job]:
    """Jobs that have ended well, else, where none has, those that did not fail: others' figures are of another step."""
    ended = [job for job in jobs if job.record.standing == "finished"]
    return ended or [job for job in jobs if job.record.standing not in ("failed", "died")]


def standings(values: Mapping[str, Sequence[float]], better: Better) -> dict[str, str]:
    """How each recipe stands by a figure over its seeds: best by its mean, within the spread of the best, or beyond it.

    Two are within each other's spread where their means are no further apart than the root mean square of their
    standard deviations. It is "unknown" where one of the two has a single run; nothing is said where neither way is
    better, or all have the same mean.

    Args:
        values: of each recipe, over its seeds.
    """
    means = {name: fmean(v) for name, v in values.items()}
    if better not in ("lower", "higher") or len(set(means.values())) < 2:
        return {}
    best = (max if better == "higher" else min)(means, key=lambda name: means[name])
    found = {}
    for name, mean in means.items():
        if len(values[best]) < 2 or len(values[name]) < 2:
            found[name] = "unknown"
        else:
            spread = sqrt((stdev(values[best]) ** 2 + stdev(values[name]) ** 2) / 2)
            found[name] = "within" if abs(mean - means[best]) <= spread else "beyond"
    return {**found, best: "best"}


def effect_size(groups: Sequence[Sequence[float]]) -> float:
    """The share of the variance of numbers that their group explains, ω² of a one-way analysis of variance.

    Unlike η² it is not raised by many small groups: of groups that say nothing it is about 0. Below 0 it is 0; it is 0
    too where there is one group, or one number in each, for then nothing can be told.

    Source: Hays, Statistics for Psychologists, 1963.
    """
    numbers = [value for group in groups for value in group]
    k, n = len(groups), len(numbers)
    if k < 2 or n <= k:
        return 0.0
    mean = fmean(numbers)
    whole = sum((value - mean) ** 2 for value in numbers)
    between = sum(len(group) * (fmean(group) - mean) ** 2 for group in groups)
    within = max(whole - between, 0.0) / (n - k)
    return max(0.0, (between - (k - 1) * within) / (whole + within)) if whole > 0 else 0.0


def spread_of(curves: Sequence[Curve]) -> dict[str, Any]:
    """The mean of curves at each step, with the lowest and the highest; a step counts the curves that have it."""
    met: dict[int, list[float]] = {}
    for curve in curves:
        for step, value in zip(curve.steps, curve.values, strict=True):
            if value is not None:
                met.setdefault(step, []).append(value)
    steps = sorted(met)
    mean = Curve(steps, [fmean(met[step]) for step in steps])
    found = mean.plain()
    if len(curves) > 1:
        found["low"] = Curve(steps, [min(met[step]) for step in steps]).plain()["y"]
        found["high"] = Curve(steps, [max(met[step]) for step in steps]).plain()["y"]
    return found


def mean_and_spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation, in words."""
    if not values:
        return NONE
    return f"{fmean(values):.4g} ± {stdev(values):.2g}" if len(values) > 1 else f"{values[0]:.4g}"
