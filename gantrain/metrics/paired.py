"""Metrics between as many real samples as generated ones."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from gantrain.errors import UserError
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.feature_metric import FeatureMetric
from gantrain.metrics.features import Features
from gantrain.metrics.protocol import Protocol


def real_count(metric: FeatureMetric, real: RealData) -> int:
    """As many real samples as are generated, or all where there are fewer."""
    size = real.open(metric.split).size
    return metric.n if size is None else min(metric.n, size)


def paired_features(metric: FeatureMetric, evaluation: Evaluation) -> tuple[Features, Features]:
    """Features of the real and of the generated samples, equally many where there are enough real ones."""
    real = metric.real(evaluation, real_count(metric, evaluation.real))
    return real, metric.generated(evaluation)


def to_device(x: Tensor, evaluation: Evaluation) -> Tensor:
    """Points where distances between them are computed: on a GPU that has float64, else on the CPU."""
    device = evaluation.real.context.device
    return x.to(device) if device.type == "cuda" else x


def all_finite(*parts: Tensor) -> bool:
    """Whether every one of them is a number."""
    return all(bool(part.isfinite().all()) for part in parts)


class PairedMetric(FeatureMetric):
    """A metric that sets the n generated samples against n real ones, or against all where there are fewer.

    Its figures are NaN where a feature is not finite.
    """

    least: int = 2
    """Fewer real samples tell nothing."""

    def prepare(self, real: RealData) -> None:
        super().prepare(real)
        refuse_few(self, real, self.least)

    def protocol(self, evaluation: Evaluation) -> Protocol:
        return replace(super().protocol(evaluation), real=real_count(self, evaluation.real))

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        real, generated = (to_device(part.values, evaluation) for part in paired_features(self, evaluation))
        if not all_finite(real, generated):
            return dict.fromkeys(self.keys, math.nan)
        known = self.of_real(evaluation, self.summary, len(real)).to(real.device)
        return dict(zip(self.keys, self.of_points(real, generated, known), strict=True))

    def summary(self, real: Features) -> Tensor:
        """What it needs of real samples alone: computed once for all evaluations of the run, where the space allows."""
        raise NotImplementedError

    def of_points(self, real: Tensor, generated: Tensor, known: Tensor) -> tuple[float, ...]:
        """The figures of features (m, d) and (n, d), all of them finite, in the order of `figures`.

        Args:
            known: the `summary` of the real samples.
        """
        raise NotImplementedError


def refuse_few(metric: FeatureMetric, real: RealData, least: int) -> None:
    """Raises UserError where there are fewer real samples than a metric needs."""
    there = real_count(metric, real)
    if there < least:
        raise UserError(
            f"metric {metric.keys[0]} needs {least} or more real samples, and there are {there}: leave it out of "
            "metrics.use, or add pictures"
        )
