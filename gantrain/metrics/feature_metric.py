"""Metrics over features, each in each space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from gantrain.data import Source
from gantrain.metrics.base import Metric
from gantrain.metrics.evaluation import Evaluation, Part, RealData
from gantrain.metrics.features import Features, FeatureSpace, generated_features, real_features
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import SAMPLES, within

Made = TypeVar("Made")

PLAIN = "inception"
"""The space whose figures bear their bare names, for papers mean it when they name none."""


class FeatureMetric(Metric):
    """A metric between features of generated and of real samples.

    Args:
        space: in which it is measured. The figures' names end with it, but for those of `figures` in Inception's.
        samples: how many are generated.
        split: which real samples they are set against, train or held_out.
    """

    figures: tuple[str, ...] = ()
    """Names of its figures, without the space."""
    better_if_higher: frozenset[str] = frozenset()
    """Those of them for which that holds."""
    best_between: frozenset[str] = frozenset()
    """Those that are right at a value between."""

    def __init__(self, space: FeatureSpace, samples: int = 5000, split: Part = "train") -> None:
        within(SAMPLES, samples=samples)
        if split not in ("train", "held_out"):
            raise ValueError(f"split is train or held_out, got {split}")
        self.space, self.n, self.split = space, samples, split
        self.keys = tuple(self.key(figure) for figure in self.figures)
        self.higher_is_better = frozenset(self.key(figure) for figure in self.better_if_higher)
        self.neither = frozenset(self.key(figure) for figure in self.best_between)

    def key(self, figure: str) -> str:
        """The last part of the figure's tag."""
        return figure if self.space.name == PLAIN else f"{figure}_{self.space.name}"

    def check(self, source: Source) -> None:
        self.space.check(source)
        if self.split == "held_out" and source.held_out_part() is None:
            raise ValueError(f"metric {self.keys[0]} with split=held_out needs a dataset with a held-out part")

    def prepare(self, real: RealData) -> None:
        real.open(self.split)
        self.space.prepare(real)

    def generated(self, evaluation: Evaluation) -> Features:
        """Features of as many generated samples as were asked for."""
        return generated_features(evaluation, self.space, self.n)

    def real(self, evaluation: Evaluation, n: int | None = None) -> Features:
        """Features of the real samples, of all unless n is given."""
        return real_features(evaluation, self.space, self.split, n)

    def of_real(self, evaluation: Evaluation, summarise: Callable[[Features], Made], n: int | None = None) -> Made:
        """What a function of a module makes of features of real samples: once for as long as these are kept."""
        kept = (evaluation if self.space.of_the_run else evaluation.real).once(_summaries)
        key = (summarise, self.space, self.split, n)
        if key not in kept:
            kept[key] = summarise(self.real(evaluation, n))
        return cast(Made, kept[key])

    def settings(self) -> dict[str, Any]:
        """Its own settings that a figure depends on."""
        return {}

    def protocol(self, evaluation: Evaluation) -> Protocol:
        return self.protocol_of(
            evaluation,
            samples=self.n,
            real=evaluation.real.open(self.split).size,
            split=self.split,
            space=self.space.identity(),
            resize=self.space.resize,
            settings=self.settings(),
            versions=self.space.versions(),
        )


def _summaries(holder: Evaluation | RealData) -> dict[object, object]:
    return {}
