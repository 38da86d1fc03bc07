"""Distances between the features of generated and of real samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantrain.data import Source
from gantrain.metrics.evaluation import KEPT, Evaluation, Part, RealData
from gantrain.metrics.feature_metric import FeatureMetric
from gantrain.metrics.features import CHUNK, Features, FeatureSpace, encoded
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import COUNT, within

SEED = 2020
"""Of subsets and of projections, which are the same for all figures; torch-fidelity's."""
LARGEST = 4096
"""Dimensions for which FID takes a covariance and its eigenvalues: a minute."""
AT_ONCE = 100
"""Projections that are sorted together."""
TWO_OR_MORE = "[2, 100000000]"


@dataclass(frozen=True)
class Gaussian:
    """Mean (D,) and covariance (D, D) of n points, float64; of fewer points than dimensions also a root (n, D).

    The root's product with itself, rootᵀ root, is the covariance.
    """

    mean: Tensor
    covariance: Tensor
    root: Tensor | None = None


class FID(FeatureMetric):
    """The Fréchet distance between Gaussians with the moments of features (Heusel et al. 2017, section 3).

    Inception's is what papers call FID. It shrinks as samples become more, so that only equal numbers compare. NaN
    where a feature is not finite.
    """

    figures = ("fid",)

    def __init__(self, space: FeatureSpace, samples: int = 10_000, split: Part = "train") -> None:
        within(TWO_OR_MORE, samples=samples)
        super().__init__(space, samples, split)

    def check(self, source: Source) -> None:
        super().check(source)
        size = math.prod(source.shape) if self.space.size is None else self.space.size
        if size > LARGEST and not self.space.of_the_run:
            raise ValueError(
                f"metric {self.keys[0]} takes eigenvalues of {size:,} dimensions squared, more than {LARGEST:,}: take "
                f"mind_{self.space.name}, or a space of fewer"
            )

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        real = self.of_real(evaluation, gaussian_of)
        return {self.keys[0]: frechet_distance(gaussian_of(self.generated(evaluation)), real)}


def gaussian_of(features: Features) -> Gaussian:
    """The moments of points; the covariance is that of a sample, divided by n - 1."""
    points = features.values
    n, size = points.shape
    mean = points.mean(0, dtype=torch.float64)
    if n < size:
        root = (points.double() - mean) / math.sqrt(max(n - 1, 1))
        return Gaussian(mean, root.T @ root, root)
    covariance = torch.zeros(size, size, dtype=torch.float64)
    for part in points.split(CHUNK):
        centred = part.double() - mean
        covariance += centred.T @ centred
    return Gaussian(mean, covariance / max(n - 1, 1))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """|m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½), the squared Wasserstein-2 distance (Dowson & Landau 1982).

    With C₁ = RᵀR, the eigenvalues of C₁ C₂ that are not 0 are those of R C₂ Rᵀ: it is symmetric, and no larger than
    there are points, so that few points in many dimensions do no harm.
    """
    if first.root is None or (second.root is not None and len(second.root) < len(first.root)):
        first, second = second, first
    if not (first.covariance.isfinite().all() and second.covariance.isfinite().all()):
        return math.nan
    root = first.root if first.root is not None else _root(first.covariance)
    values = torch.linalg.eigvalsh(root @ second.covariance @ root.T)
    overlap = values.clamp(min=0).sqrt().sum()
    difference = first.mean - second.mean
    distance = difference @ difference + first.covariance.trace() + second.covariance.trace() - 2 * overlap
    return max(distance.item(), 0.0)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return values.clamp(min=0).sqrt()[:, None] * vectors.T


class KID(FeatureMetric):
    """The squared maximum mean discrepancy under the kernel (xᵀy / D + 1)³ (Bińkowski et al. 2018, section 4).

    The mean of unbiased estimates over subsets, so that it may be a little below 0 where there is no difference, and
    hardly depends on the number of samples. The subsets are those that torch-fidelity draws. NaN where a feature is not
    finite.

    Args:
        subsets: how many.
        subset_size: samples in each; as many as there are, where there are fewer.
    """

    figures = ("kid",)

    def __init__(
        self,
        space: FeatureSpace,
        samples: int = 5000,
        split: Part = "train",
        subsets: int = 100,
        subset_size: int = 1000,
    ) -> None:
        within(COUNT, subsets=subsets)
        within(TWO_OR_MORE, samples=samples, subset_size=subset_size)
        super().__init__(space, samples, split)
        self.subsets, self.subset_size = subsets, subset_size

    def settings(self) -> dict[str, Any]:
        return {"subsets": self.subsets, "subset_size": self.subset_size}

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        generated, there = self.generated(evaluation).values, evaluation.real.count(self.split)
        chosen = drawn_subsets(len(generated), there, self.subsets, self.subset_size)
        length = math.prod(evaluation.real.source.shape) if self.space.size is None else 0
        if self.space.of_the_run or 4 * there * length <= KEPT:
            real = self.real(evaluation).values
            return {self.keys[0]: discrepancy((generated[few], real[others]) for few, others in chosen)}
        kept = evaluation.real.once(_drawn_real, self.split, len(generated), self.subsets, self.subset_size)

        def pairs() -> Iterator[tuple[Tensor, Tensor]]:
            for few, others in chosen:
                x = kept.samples[torch.searchsorted(kept.places, others)]
                yield generated[few], self.space.features(x, evaluation.real, None).values

        return {self.keys[0]: discrepancy(pairs())}


@dataclass(frozen=True)
class DrawnReal:
    """Real samples (n, *shape) as spaces take them, and their places (n,) in the data, ascending."""

    places: Tensor
    samples: Tensor


def _drawn_real(real: RealData, part: Part, generated: int, subsets: int, size: int) -> DrawnReal:
    """Those that are in any subset: features of all, each as large as a large picture, would fill the memory."""
    chosen = drawn_subsets(generated, real.count(part), subsets, size)
    places, found, start = torch.cat([others for _, others in chosen]).unique(), [], 0
    for batch in real.batches(part):
        x = batch["real"]
        here = places[(places >= start) & (places < start + len(x))] - start
        found.append(encoded(x[here.to(x.device)]).cpu())
        start += len(x)
    return DrawnReal(places, torch.cat(found))


def drawn_subsets(generated: int, real: int, subsets: int, size: int) -> list[tuple[Tensor, Tensor]]:
    """Which of so many generated and real samples are in each subset, in torch-fidelity's order."""
    draws, size = np.random.RandomState(SEED), min(size, generated, real)
    return [
        (
            torch.from_numpy(draws.choice(generated, size, replace=False)),
            torch.from_numpy(draws.choice(real, size, replace=False)),
        )
        for _ in range(subsets)
    ]


def discrepancy(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The mean of `squared_discrepancy` over pairs of as many x as y."""
    return float(np.mean([squared_discrepancy(x, y) for x, y in pairs]))


def squared_discrepancy(x: Tensor, y: Tensor) -> float:
    """The unbiased estimate of MMD² (Gretton et al. 2012, equation 3) under KID's kernel, of as many x as y."""
    n, size = x.shape

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return ((a @ b.T).double() / size + 1) ** 3

    within_each = sum(k.sum() - k.trace() for k in (kernel(x, x), kernel(y, y)))
    return float(within_each / (n * (n - 1)) - 2 * kernel(x, y).mean())


class MIND(FeatureMetric):
    """The Monge inception distance (Berthet et al. 2026, arXiv 2605.06797): sliced, squared Wasserstein-2.

    3 D times the mean, over random directions, of the squared Wasserstein-2 distance between the projections of as many
    generated as real samples. 5,000 samples tell what FID needs 50,000 for. NaN where a feature is not finite.

    Args:
        projections: random directions.
    """

    figures = ("mind",)

    def __init__(
        self, space: FeatureSpace, samples: int = 5000, split: Part = "train", projections: int = 1000
    ) -> None:
        within("[1, 1000000]", projections=projections)
        super().__init__(space, samples, split)
        self.projections = projections

    def settings(self) -> dict[str, Any]:
        return {"projections": self.projections}

    def pairs(self, evaluation: Evaluation) -> int:
        """How many generated samples are compared with as many real ones."""
        size = evaluation.real.open(self.split).size
        return self.n if size is None else min(self.n, size)

    def protocol(self, evaluation: Evaluation) -> Protocol:
        pairs = self.pairs(evaluation)
        return replace(super().protocol(evaluation), samples=pairs, real=pairs)

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        pairs = self.pairs(evaluation)
        kept = evaluation if self.space.of_the_run else evaluation.real
        projected = kept.once(_projections)
        key = (self.space, self.split, pairs, self.projections)
        if key not in projected:
            projected[key] = sorted_projections(self.real(evaluation, pairs).values, self.projections)
        generated = self.generated(evaluation).values[:pairs]
        found = sorted_projections(generated, self.projections)
        return {self.keys[0]: projected_distance(found, projected[key], generated.shape[1])}


def _projections(holder: object) -> dict[tuple[FeatureSpace, Part, int, int], Tensor]:
    return {}


def sliced_distance(x: Tensor, y: Tensor, projections: int = 1000) -> float:
    """3 D times the mean squared Wasserstein-2 distance of projections of points x and y (n, D)."""
    return projected_distance(sorted_projections(x, projections), sorted_projections(y, projections), x.shape[1])


def sorted_projections(x: Tensor, projections: int) -> Tensor:
    """Points (n, D) on random directions, the same in every call, in ascending order: (projections, n) float32.

    All NaN where a point is not finite.
    """
    if not x.isfinite().all():
        return torch.full((projections, len(x)), math.nan)
    draws, parts = torch.Generator().manual_seed(SEED), []
    for start in range(0, projections, AT_ONCE):
        directions = torch.randn(min(AT_ONCE, projections - start), x.shape[1], generator=draws)
        directions /= directions.norm(dim=1, keepdim=True)
        parts.append((directions @ x.T).sort(1).values)
    return torch.cat(parts)


def projected_distance(x: Tensor, y: Tensor, size: int) -> float:
    """3 D times the mean squared Wasserstein-2 distance between `sorted_projections` of as many points of D=`size`."""
    return 3 * size * (x - y).square().mean(1).double().mean().item()
