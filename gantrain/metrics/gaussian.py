"""Exact figures for the Gaussian on the line."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.integrate import trapezoid
from scipy.special import ndtr, ndtri, rel_entr
from scipy.stats import gaussian_kde

from gantrain.data import Gaussian1d, Source
from gantrain.metrics.base import Evaluation, Metric
from gantrain.ranges import within


class GaussianMetric(Metric):
    """A metric against N(mean, std²).

    Args:
        samples: how many are drawn.
    """

    def __init__(self, samples: int = 10_000) -> None:
        within("[2, 10000000]", samples=samples)
        self.n = samples

    def check(self, source: Source) -> None:
        if not isinstance(source, Gaussian1d):
            raise ValueError(f"metric {type(self).__name__} needs dataset=gaussian1d: leave it out of metrics.use")

    def truth(self, evaluation: Evaluation) -> Gaussian1d:
        assert isinstance(evaluation.source, Gaussian1d)
        return evaluation.source


def wasserstein1_to_normal(samples: np.ndarray, mean: float, std: float) -> float:
    """∫₀¹ |Q_n(u) - Q(u)| du between the empirical quantile function and that of N(mean, std²), in closed form.

    Between two neighbouring steps Q_n is constant, and ∫ Q du = mean·u - std·φ(Φ⁻¹(u)).
    """
    x = np.sort(np.ravel(samples))
    u = np.linspace(0, 1, len(x) + 1)

    def area(u: np.ndarray) -> np.ndarray:
        return mean * u - std * np.exp(-0.5 * ndtri(u) ** 2) / math.sqrt(2 * math.pi)

    low, high = u[:-1], u[1:]
    cross = np.clip(ndtr((x - mean) / std), low, high)
    below = x * (cross - low) - (area(cross) - area(low))
    above = (area(high) - area(cross)) - x * (high - cross)
    return float((below + above).sum())


class Wasserstein1(GaussianMetric):
    """W1 between the samples and the true Gaussian, exact for the samples."""

    keys = ("wasserstein1",)

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        truth = self.truth(evaluation)
        return {"wasserstein1": wasserstein1_to_normal(evaluation.samples(self.n), truth.mean, truth.std)}


class Moments(GaussianMetric):
    """Mean and standard deviation of the samples."""

    keys = ("mean", "std")

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        x = evaluation.samples(self.n)
        return {"mean": x.mean(), "std": x.std()}


class DensityMetric(GaussianMetric):
    """A metric on densities: p is the truth, q a Gaussian kernel estimate (Scott's width) from the samples."""

    points = 8001

    def densities(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places x, p(x) and q(x)."""
        truth, samples = self.truth(evaluation), np.ravel(evaluation.samples(self.n))
        spread = max(samples.std(), 1e-6)  # a generator that makes one point only has no kernel width of its own
        width = spread * len(samples) ** -0.2
        low = min(truth.mean - 10 * truth.std, samples.min() - 8 * width)
        high = max(truth.mean + 10 * truth.std, samples.max() + 8 * width)
        near = np.linspace(samples.min() - 8 * width, samples.max() + 8 * width, self.points)
        x = np.unique(np.concatenate([np.linspace(low, high, self.points), near]))
        if samples.std() > 1e-6:
            q = gaussian_kde(samples)(x)
        else:
            q = np.exp(-0.5 * ((x - samples.mean()) / width) ** 2) / (width * math.sqrt(2 * math.pi))
        return x, truth.density(x), q


class JSDivergence(DensityMetric):
    """The Jensen-Shannon divergence in nats, by quadrature: 0 for equal, log 2 for disjoint distributions."""

    keys = ("js",)

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        x, p, q = self.densities(evaluation)
        m = np.maximum((p + q) / 2, 1e-300)  # half of the least number there is would be 0
        return {"js": trapezoid((rel_entr(p, m) + rel_entr(q, m)) / 2, x)}


class KL(DensityMetric):
    """KL(p‖q) and KL(q‖p) in nats, by quadrature."""

    keys = ("kl_real_fake", "kl_fake_real")
    floor = 1e-300  # where a density underflows, its logarithm is cut here

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        x, p, q = self.densities(evaluation)
        p, q = np.maximum(p, self.floor), np.maximum(q, self.floor)
        return {"kl_real_fake": trapezoid(rel_entr(p, q), x), "kl_fake_real": trapezoid(rel_entr(q, p), x)}


class OptimalDiscriminator(DensityMetric):
    """How far D(x) is from D* = p/(p+q), and what D itself makes of the divergence (Goodfellow et al. 2014, section 4).

    `discriminator_error` is the mean of |D - D*| where either density exceeds 1 % of its peak; `js_estimate` is
    (V + log 4)/2 with the value V = E_p log D + E_q log(1 - D). Empty for losses whose logits are no probabilities.
    """

    keys = ("discriminator_error", "js_estimate")

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        if evaluation.discriminator is None or not evaluation.probability:
            return {}
        x, p, q = self.densities(evaluation)
        logits = evaluation.discriminator(torch.from_numpy(x).float()[:, None]).double().numpy().reshape(-1)
        d = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
        there = (p > 0.01 * p.max()) | (q > 0.01 * q.max())
        weight = np.gradient(x)[there]
        best = (p / np.maximum(p + q, 1e-300))[there]
        error = float((np.abs(d[there] - best) * weight).sum() / weight.sum())
        value = trapezoid(-p * np.logaddexp(0, -logits) - q * np.logaddexp(0, logits), x)
        return {"discriminator_error": error, "js_estimate": (value + math.log(4)) / 2}
