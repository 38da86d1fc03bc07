"""Metrics: what they say of themselves, and how all of a run's are asked."""

from __future__ import annotations

from collections.abc import Mapping

from gantrain.data import Source
from gantrain.metrics.evaluation import Evaluation, RealData


class Metric:
    """Figures of an evaluation.

    `keys` names them, by the last part of their tags, and `higher_is_better` those for which that holds. Both are the
    instance's: settings may be part of a figure's name. Building a metric reads nothing, for a run is planned with it.

    Raises:
        ValueError: when it is built with settings that make no sense.
    """

    keys: tuple[str, ...] = ()
    higher_is_better: frozenset[str] = frozenset()
    needs_classifier: bool = False

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


def evaluate(metrics: Mapping[str, Metric], evaluation: Evaluation) -> dict[str, float]:
    """All figures, tagged `metrics/…`."""
    figures: dict[str, float] = {}
    for metric in metrics.values():
        figures |= {f"metrics/{key}": float(value) for key, value in metric(evaluation).items()}
    return figures
