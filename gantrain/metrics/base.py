"""Metrics: what they say of themselves, and how all of a run's are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from gantrain import __version__
from gantrain.data import Source
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.protocol import Protocol


class Metric:
    """Figures of an evaluation.

    `keys` names them, by the last part of their tags, `higher_is_better` those for which that holds, and `neither`
    those that are right at a value between. All are the instance's: settings may be part of a figure's name.
    Building a metric reads nothing, for a run is planned with it.

    Raises:
        ValueError: when it is built with settings that make no sense.
    """

    keys: tuple[str, ...] = ()
    higher_is_better: frozenset[str] = frozenset()
    neither: frozenset[str] = frozenset()
    needs_classifier: bool = False
    needs_labels: bool = False
    """Of generated samples."""
    needs_captions: bool = False
    """Of what generated samples were asked to show."""
    needs_value: bool = False
    needs_domains: bool = False
    """It judges samples of two domains that belong together."""
    needs_cycles: bool = False
    needs_pairs: bool = False
    """Of a translation and the true picture."""
    streams: bool = False
    """It keeps no generated samples of the evaluation's: it looks at them as they are drawn, or at none."""

    def check(self, source: Source) -> None:
        """Before any data is read.

        Raises:
            ValueError: the metric cannot judge such data.
        """

    def prepare(self, real: RealData) -> None:
        """Before the first step: opens what evaluations will need besides the data that is trained on.

        Raises:
            UserError: it is not there, or cannot be read.
        """

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        """The figures, by the last part of their tags."""
        raise NotImplementedError

    def protocol(self, evaluation: Evaluation) -> Protocol:
        """Under what conditions its figures are measured."""
        return self.protocol_of(evaluation, samples=getattr(self, "n", None))

    def protocol_of(self, evaluation: Evaluation, **facts: Any) -> Protocol:
        """The protocol with these facts, and with those that every metric has."""
        versions = {"gantrain": __version__, "torch": str(torch.__version__)} | facts.pop("versions", {})
        facts["conditional"] = evaluation.labelled is not None or evaluation.from_data or None
        return Protocol(type(self).__name__, evaluation.real.name, evaluation.averaged, versions=versions, **facts)


def protocols(metrics: Mapping[str, Metric], evaluation: Evaluation) -> dict[str, Protocol]:
    """Under what conditions `evaluate` measures each figure, by tag."""
    found = {}
    for metric in metrics.values():
        protocol = metric.protocol(evaluation)
        space = getattr(metric, "space", None)
        for key in metric.keys:
            ranked = key not in metric.neither and not (space and space.of_the_run)
            better = "higher" if key in metric.higher_is_better else "lower"
            found[f"metrics/{key}"] = replace(protocol, better=better if ranked else None)
    return found


def evaluate(metrics: Mapping[str, Metric], evaluation: Evaluation) -> dict[str, float]:
    """All figures, tagged `metrics/…`."""
    figures: dict[str, float] = {}
    for metric in metrics.values():
        evaluation.expect(0 if metric.streams else getattr(metric, "n", None) or 0)
    for metric in metrics.values():
        figures |= {f"metrics/{key}": float(value) for key, value in metric(evaluation).items()}
    return figures
