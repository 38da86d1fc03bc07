"""How much of the data generated samples reach, and how much of what they reach is data: by nearest neighbours."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gantrain.metrics.evaluation import Part
from gantrain.metrics.features import Features, FeatureSpace
from gantrain.metrics.paired import PairedMetric
from gantrain.metrics.pairwise import squared_distances, squared_radii
from gantrain.ranges import within


def precision_recall(real: Tensor, generated: Tensor, k: int = 3, radii: Tensor | None = None) -> tuple[float, float]:
    """Precision and recall of points generated (n, d) against real (m, d); k < m, n (Kynkäänniemi et al. 2019, eq. 1).

    Around each point of a set lies a ball as wide as the distance to its k-th nearest neighbour in the set. Precision
    is the share of generated points that lie in a ball around a real one, recall the share of real points that lie in
    a ball around a generated one.

    Args:
        radii: `squared_radii(real, k)`, where it is known.
    """
    around_real = squared_radii(real, k) if radii is None else radii
    around_generated = squared_radii(generated, k)
    precise, recalled = 0, torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, table in squared_distances(generated, real):
        precise += int((table < around_real).any(1).sum())
        recalled |= (table < around_generated[rows, None]).any(0)
    return precise / len(generated), recalled.double().mean().item()


def density_coverage(real: Tensor, generated: Tensor, k: int = 5, radii: Tensor | None = None) -> tuple[float, float]:
    """Density and coverage of points generated (n, d) against real (m, d), k < m (Naeem et al. 2020, eq. 3 and 4).

    Density is the number of balls around real points that a generated point lies in, over k, in the mean: 1 for samples
    of the same distribution, more where they crowd where the data does. Coverage is the share of real points whose ball
    holds a generated one.

    Args:
        radii: `squared_radii(real, k)`, where it is known.
    """
    radii = squared_radii(real, k) if radii is None else radii
    inside, covered = 0, torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for _, table in squared_distances(generated, real):
        near = table < radii
        inside += int(near.sum())
        covered |= near.any(0)
    return inside / (k * len(generated)), covered.double().mean().item()


class NeighbourMetric(PairedMetric):
    """A metric by the balls around k nearest neighbours.

    Args:
        k: how many.
    """

    def __init__(self, space: FeatureSpace, samples: int, split: Part, k: int) -> None:
        within("[1, 1000]", k=k)
        within(f"[{k + 1}, 100000]", samples=samples)
        super().__init__(space, samples, split)
        self.k, self.least = k, k + 1

    def settings(self) -> dict[str, Any]:
        return {"k": self.k}

    def summary(self, real: Features) -> Tensor:
        return squared_radii(real.values, self.k)


class PrecisionRecall(NeighbourMetric):
    """Precision: how many samples look real; recall: how much of the data they reach (Kynkäänniemi et al. 2019).

    Both from 0 to 1. They depend on the number of samples, which is part of the protocol.
    """

    figures = ("precision", "recall")
    better_if_higher = frozenset(figures)

    def __init__(self, space: FeatureSpace, samples: int = 5000, split: Part = "train", k: int = 3) -> None:
        super().__init__(space, samples, split, k)

    def of_points(self, real: Tensor, generated: Tensor, known: Tensor) -> tuple[float, ...]:
        return precision_recall(real, generated, self.k, known)


class DensityCoverage(NeighbourMetric):
    """Density and coverage: precision and recall that single outliers do not move (Naeem et al. 2020).

    Density is 1 where all is well and has no upper end, coverage goes from 0 to 1.
    """

    figures = ("density", "coverage")
    better_if_higher = frozenset({"coverage"})
    best_between = frozenset({"density"})

    def __init__(self, space: FeatureSpace, samples: int = 5000, split: Part = "train", k: int = 5) -> None:
        super().__init__(space, samples, split, k)

    def of_points(self, real: Tensor, generated: Tensor, known: Tensor) -> tuple[float, ...]:
        return density_coverage(real, generated, self.k, known)
