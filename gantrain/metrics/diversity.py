"""How different generated samples are from each other."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.data import Source
from gantrain.metrics.evaluation import Part
from gantrain.metrics.features import Features, FeatureSpace
from gantrain.metrics.paired import PairedMetric
from gantrain.metrics.pairwise import mean_distance
from gantrain.ranges import within

LARGEST = 10_000
"""Rows of the largest matrix whose eigenvalues are taken: about 800 MB, and minutes."""


def vendi(x: Tensor) -> float:
    """The Vendi score of points x (n, d) under the cosine kernel (Friedman & Dieng 2022, definition 3.1).

    exp of the entropy of the eigenvalues of K/n: the number of samples that are really different, from 1 to n, and
    never more than d. K is n by n and has the eigenvalues of a matrix d by d, so the smaller of the two is taken.
    A point at 0, which has no direction, is like others at 0 and unlike the rest.
    """
    x = x.double()
    nowhere = ~x.any(1)
    x = torch.cat([F.normalize(x), nowhere[:, None].double()], 1) if nowhere.any() else F.normalize(x)
    smaller = x @ x.T if len(x) <= x.shape[1] else x.T @ x
    shares = torch.linalg.eigvalsh(smaller / len(x))
    shares = shares[shares > 0]
    return math.exp(-(shares * shares.log()).sum().item())


class Vendi(PairedMetric):
    """How many really different samples there are, and that number over the real ones' (Friedman & Dieng 2022).

    `vendi` is the score of the generated samples under the cosine kernel, `vendi_ratio` the same over that of as many
    real ones: 1 where they are as manifold as the data.

    Args:
        samples: 2,000, for the eigenvalues of so many rows take a second.
    """

    figures = ("vendi", "vendi_ratio")
    better_if_higher = frozenset({"vendi"})
    best_between = frozenset({"vendi_ratio"})

    def __init__(self, space: FeatureSpace, samples: int = 2000, split: Part = "train") -> None:
        within("[2, 100000]", samples=samples)
        super().__init__(space, samples, split)

    def check(self, source: Source) -> None:
        super().check(source)
        size = math.prod(source.shape) if self.space.size is None else self.space.size
        if size <= 2:
            raise ValueError(
                f"metric {self.keys[0]} counts at most as many samples as they have dimensions, here {size}: use "
                f"diversity_{self.space.name}"
            )
        if min(self.n, size) > LARGEST:
            raise ValueError(
                f"metric {self.keys[0]} would take eigenvalues of {min(self.n, size)} rows: set "
                f"metrics.known.vendi.samples={LARGEST} or fewer"
            )

    def summary(self, real: Features) -> Tensor:
        return torch.tensor(vendi(real.values), dtype=torch.float64)

    def of_points(self, real: Tensor, generated: Tensor, known: Tensor) -> tuple[float, ...]:
        score = vendi(generated)
        return score, score / known.item()


class Diversity(PairedMetric):
    """The mean distance between two generated samples over that between two real ones, over all pairs.

    1 where they differ as much as the data, 0 where all are equal: collapse in one number. NaN where the real ones are
    all equal.
    """

    figures = ("diversity",)
    best_between = frozenset(figures)

    def __init__(self, space: FeatureSpace, samples: int = 5000, split: Part = "train") -> None:
        within("[2, 100000]", samples=samples)
        super().__init__(space, samples, split)

    def summary(self, real: Features) -> Tensor:
        return torch.tensor(mean_distance(real.values), dtype=torch.float64)

    def of_points(self, real: Tensor, generated: Tensor, known: Tensor) -> tuple[float, ...]:
        return (mean_distance(generated) / known.item() if known else math.nan,)
