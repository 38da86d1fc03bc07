"""The inception score."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantrain.data import Source
from gantrain.metrics.distances import SEED
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.feature_metric import FeatureMetric
from gantrain.metrics.features import FeatureSpace
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import COUNT, within


class InceptionScore(FeatureMetric):
    """exp of the mean KL(p(y|x) ‖ p(y)) of classes that a network names (Salimans et al. 2016, section 4).

    Between 1 and the number of classes. It knows no real samples: only which classes there are, and how sure the
    network is of each. The mean over parts of the samples, in torch-fidelity's order.

    Args:
        splits: parts.
    """

    figures = ("inception_score",)
    better_if_higher = frozenset(figures)

    def __init__(self, space: FeatureSpace, samples: int = 10_000, splits: int = 10) -> None:
        within(COUNT, splits=splits)
        if samples < splits:
            raise ValueError(f"samples must be as many as splits or more, got {samples} and {splits}")
        super().__init__(space, samples)
        self.splits = splits

    def check(self, source: Source) -> None:
        if not self.space.has_logits:
            raise ValueError(
                f"an inception score needs a space whose network names classes, which {self.space.name} has not: "
                "inception_score, or inception_score_classifier"
            )
        self.space.check(source)

    def prepare(self, real: RealData) -> None:
        self.space.prepare(real)

    def settings(self) -> dict[str, Any]:
        return {"splits": self.splits}

    def protocol(self, evaluation: Evaluation) -> Protocol:
        return self.protocol_of(
            evaluation,
            samples=self.n,
            space=self.space.identity(),
            resize=self.space.resize,
            settings=self.settings(),
            versions=self.space.versions(),
        )

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        logits = self.generated(evaluation).logits
        assert logits is not None, "a space that says so has them"
        order = torch.from_numpy(np.random.RandomState(SEED).permutation(len(logits)))
        return {self.keys[0]: inception_score(logits[order], self.splits)}


def inception_score(logits: Tensor, splits: int) -> float:
    """The mean score of parts of the samples, whose logits are (n, K); NaN where the classes of one are not known."""
    likely = logits.double().log_softmax(1)
    if likely.isnan().any():
        return math.nan  # which the sum over classes would pass over
    ends = [part * len(likely) // splits for part in range(splits + 1)]
    return float(np.mean([_score(likely[a:b]) for a, b in pairwise(ends)]))


def _score(likely: Tensor) -> float:
    share = likely.exp()
    return (share * (likely - share.mean(0).log())).nansum(1).mean().exp().item()
