"""Whether generated samples fall into the classes of the data, and into each as often."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gantrain.data import Source
from gantrain.metrics.evaluation import Evaluation, Part
from gantrain.metrics.features import FeatureSpace
from gantrain.metrics.paired import PairedMetric, all_finite, paired_features
from gantrain.ranges import within

MISSING = 0.1
"""A class with less than this part of its share in the data is missing: a classifier errs for some of the others."""


def class_shares(logits: Tensor) -> Tensor:
    """The share (K,) float64 of samples in each class, by the largest of their logits (n, K)."""
    return torch.bincount(logits.argmax(1), minlength=logits.shape[1]).double() / len(logits)


class ClassBalance(PairedMetric):
    """Shares of classes among generated against real samples, both named by the space's own classifier.

    So its errors, which are the same for both, tell nothing. The figures:

    - `missing_classes`: how many classes have less than a tenth of their share in the data,
    - `class_total_variation`: ½ Σ |p_k - q_k|, the share of samples that would have to change their class,
    - `rarest_class`: the number of the class that falls shortest of its share in the data,
    - `rarest_class_share`: its share among generated samples over that in the data: 1 where none falls short.

    Args:
        samples: 50 or more for each class, else some are missing by chance.
    """

    figures = ("missing_classes", "class_total_variation", "rarest_class", "rarest_class_share")
    better_if_higher = frozenset({"rarest_class_share"})
    best_between = frozenset({"rarest_class"})

    def __init__(self, space: FeatureSpace, samples: int = 5000, split: Part = "train") -> None:
        within("[2, 10000000]", samples=samples)
        super().__init__(space, samples, split)

    def check(self, source: Source) -> None:
        super().check(source)
        if not self.space.has_logits:
            raise ValueError(
                "metric class_balance needs a space that names classes: use class_balance_classifier, and a dataset "
                "with labels"
            )

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        real, generated = (part.logits for part in paired_features(self, evaluation))
        assert real is not None, "check asks for a space with logits"
        assert generated is not None, "check asks for a space with logits"
        if not all_finite(real, generated):
            return dict.fromkeys(self.keys, math.nan)
        return dict(zip(self.keys, balance(class_shares(generated), class_shares(real)), strict=True))


def balance(generated: Tensor, real: Tensor) -> tuple[float, ...]:
    """The figures of `ClassBalance` of shares (K,), in their order; classes that the data lack are not missing."""
    ratio = torch.where(real > 0, generated / real, torch.inf)
    missing = int((ratio < MISSING).sum())
    rarest = int(ratio.argmin())
    return missing, (generated - real).abs().sum().item() / 2, rarest, ratio[rarest].item()
