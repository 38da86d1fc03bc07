"""Whether generated samples are copies of training samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gantrain.data import Source, to_pixels
from gantrain.data.toy import Distribution
from gantrain.errors import UserError
from gantrain.metrics.evaluation import Evaluation, Part, RealData
from gantrain.metrics.feature_metric import FeatureMetric
from gantrain.metrics.features import FeatureSpace, encoded, real_features
from gantrain.metrics.paired import all_finite, to_device
from gantrain.metrics.pairwise import nearest
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import within

NEAR = 0.05
"""As near to the training samples as this share of held-out ones is nearer than one expects of a fresh sample."""
AT_ONCE = 10_000
"""Training samples that distances are computed to at once."""


def memorised_share(generated: Tensor, reference: Tensor) -> float:
    """The share of samples that are copies, of distances to the nearest training sample (n,) and (m,).

    Copies lie nearer than the 5 % quantile of the reference, samples that no one trained on. Of generated samples that
    are no copies as many lie there as of the reference, which is subtracted: 0 where they lie as held-out real ones
    do, 1 where all are copies. NaN where all of the reference lie equally far.
    """
    edge = reference.quantile(NEAR, interpolation="lower")
    expected = (reference <= edge).double().mean().item()
    found = (generated <= edge).double().mean().item()
    return max((found - expected) / (1 - expected), 0.0) if expected < 1 else math.nan


class Memorised(FeatureMetric):
    """How many generated samples are copies of training samples, and how near they lie to these in the middle.

    Distances to the nearest of all training samples are set against those of held-out real samples, which no one can
    have copied; where there is no held-out part, against the distances of training samples to their nearest other. So
    a space in which all samples lie near each other tells the same as one in which they do not. In pixels a copy that
    is shifted or mirrored lies far away. The figures:

    - `memorised`: the share of samples that are copies (`memorised_share`), 0 where all is well, 1 where all are,
    - `nearest_distance`: the median distance over that of the reference: 1 where all is well, 0 where all are copies.

    Args:
        samples: how many are generated, and how many are held out at most.
    """

    figures = ("memorised", "nearest_distance")
    best_between = frozenset({"nearest_distance"})

    def __init__(self, space: FeatureSpace, samples: int = 2000) -> None:
        within("[20, 100000]", samples=samples)
        super().__init__(space, samples)

    def check(self, source: Source) -> None:
        super().check(source)
        if isinstance(source, Distribution):
            raise ValueError(
                f"metric {self.keys[0]} needs data of which there is an end, and these are drawn afresh: leave it out"
            )

    def prepare(self, real: RealData) -> None:
        super().prepare(real)
        size = real.open("train").size
        if size is None or size < 2:
            raise UserError(f"metric {self.keys[0]} needs 2 or more training samples: leave it out of metrics.use")
        if real.source.held_out_part() is not None:
            real.open("held_out")

    def settings(self) -> dict[str, Any]:
        return {"near": NEAR}

    def protocol(self, evaluation: Evaluation) -> Protocol:
        reference = "other training samples" if evaluation.real.source.held_out_part() is None else "held-out samples"
        known = super().protocol(evaluation)
        return replace(known, settings={**known.settings, "reference": reference})

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        generated, reference = self.generated(evaluation).values, self._reference_distances(evaluation)
        if not all_finite(generated, reference):
            return dict.fromkeys(self.keys, math.nan)
        distance = nearest_training(evaluation, self.space, to_device(generated, evaluation))[0].cpu()
        middle = reference.median().item()
        ratio = distance.median().item() / middle if middle else math.nan
        return dict(zip(self.keys, (memorised_share(distance, reference), ratio), strict=True))

    def most_copied(self, evaluation: Evaluation, count: int = 8) -> tuple[Tensor, Tensor, Tensor]:
        """The generated samples that lie nearest to a training sample, these, and how near.

        Returns:
            Samples and their nearest training samples, (count, *shape) each, uint8 pixels or numbers; their distance
            (count,) over the reference's median.
        """
        points = to_device(self.generated(evaluation).values, evaluation)
        distance, found = (part.cpu() for part in nearest_training(evaluation, self.space, points))
        first = distance.argsort()[:count]
        pictures = len(evaluation.real.source.shape) == 3
        made = evaluation.pixels(self.n) if pictures else evaluation.samples(self.n)
        training = evaluation.real.open("train")
        beside = torch.cat([training.draw(int(number), 1)["real"].cpu() for number in found[first]])
        ratio = distance[first] / self._reference_distances(evaluation).median()
        return made[first], to_pixels(beside) if pictures else beside, ratio

    def _reference_distances(self, evaluation: Evaluation) -> Tensor:
        if self.space.of_the_run:
            return evaluation.once(_reference_distances, self.space, self.n)
        return evaluation.real.once(_reference_for_all, self.space, self.n)


def _reference_distances(evaluation: Evaluation, space: FeatureSpace, n: int) -> Tensor:
    """Distances (m,) on the CPU of n real samples, or of all, to the nearest training sample that they are not."""
    real = evaluation.real
    part: Part = "train" if real.source.held_out_part() is None else "held_out"
    points = to_device(real_features(evaluation, space, part, min(n, real.count(part))).values, evaluation)
    return nearest_training(evaluation, space, points, own=part == "train")[0].cpu()


def _reference_for_all(real: RealData, space: FeatureSpace, n: int) -> Tensor:
    """The same for all evaluations of a run: they depend on real samples alone."""
    return _reference_distances(Evaluation(real, lambda n: []), space, n)


def nearest_training(
    evaluation: Evaluation, space: FeatureSpace, points: Tensor, own: bool = False
) -> tuple[Tensor, Tensor]:
    """The nearest training sample to each point (n, d): its distance (n,) and its position in the training data (n,).

    Args:
        own: the points are those of the first n training samples, each of which is not its own neighbour.
    """
    best = torch.full((len(points),), torch.inf, dtype=torch.float64, device=points.device)
    found = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    start = 0
    for part in _training_parts(evaluation, space):
        distance, number = nearest(points, to_device(part, evaluation), start if own else None)
        nearer = distance < best
        best[nearer], found[nearer] = distance[nearer], number[nearer] + start
        start += len(part)
    return best, found


def _training_parts(evaluation: Evaluation, space: FeatureSpace) -> Iterator[Tensor]:
    """Features of all training samples; those of the data's own size are made anew, for they fill the memory."""
    if space.size is None:
        for batch in evaluation.real.batches("train", at_once=AT_ONCE):
            yield space.features(encoded(batch["real"]).cpu(), evaluation.real, evaluation).values
    else:
        yield from real_features(evaluation, space, "train").values.split(AT_ONCE)
