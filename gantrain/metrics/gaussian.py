"""Figures against the Gaussian on the line, whose density is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from gantrain.data import Gaussian1d, Source
from gantrain.metrics.base import Metric
from gantrain.metrics.density import PiecewiseGaussian
from gantrain.metrics.evaluation import Evaluation
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


def truth_of(evaluation: Evaluation) -> Gaussian1d:
    """The distribution that is known."""
    source = evaluation.real.source
    assert isinstance(source, Gaussian1d)
    return source


def samples_of(evaluation: Evaluation, n: int) -> np.ndarray:
    """The generated samples as float64 (n, 1)."""
    return evaluation.samples(n).double().numpy()


def wasserstein1_to_normal(samples: np.ndarray, mean: float, std: float) -> float:
    """∫₀¹ |Q_n(u) - Q(u)| du between the empirical quantile function and that of N(mean, std²), in closed form.

    Between two neighbouring steps Q_n is constant, and ∫ Q du = mean·u - std·φ(Φ⁻¹(u)).
    """
    from scipy.special import ndtr, ndtri

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
        truth, samples = truth_of(evaluation), evaluation.once(samples_of, self.n)
        return {"wasserstein1": wasserstein1_to_normal(samples, truth.mean, truth.std)}


class Moments(GaussianMetric):
    """Mean and standard deviation of the samples."""

    keys = ("mean", "std")
    neither = frozenset(keys)

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        x = evaluation.once(samples_of, self.n)
        return {"mean": x.mean(), "std": x.std()}


SCORES = np.linspace(-10, 10, 101)
"""Standard scores between which a Gaussian is smooth enough for four nodes, and beyond which its mass is 1e-23."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)


@dataclass(frozen=True)
class Densities:
    """Places x (M,), their weights in a quadrature, and there the logarithms of p, the truth, and q, the samples'."""

    x: np.ndarray
    weight: np.ndarray
    log_p: np.ndarray
    log_q: np.ndarray

    def integral(self, values: np.ndarray) -> float:
        """∫ f(x) dx from the values of f at all places."""
        return float(self.weight @ values)


def densities(evaluation: Evaluation, n: int) -> Densities:
    """p and q for the quadrature of Gauss and Legendre between the places where either bends."""
    truth, samples = truth_of(evaluation), evaluation.once(samples_of, n)
    largest = max(np.abs(samples).max(), abs(truth.mean), truth.std)
    generated = PiecewiseGaussian(samples, narrowest=float(np.spacing(np.float32(largest))))
    edges = np.unique(np.concatenate([truth.mean + truth.std * SCORES, generated.places(SCORES)]))
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    x = (middle[:, None] + half[:, None] * NODES).ravel()
    return Densities(x, (half[:, None] * WEIGHTS).ravel(), truth.log_density(x), generated.log(x))


class DensityMetric(GaussianMetric):
    """A metric on densities: p is the truth, q that of the samples, which is found from them (`PiecewiseGaussian`).

    NaN where a sample is not finite.
    """

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        if not evaluation.samples(self.n).isfinite().all():
            return dict.fromkeys(self.keys, math.nan)
        return self.figures(evaluation, evaluation.once(densities, self.n))

    def figures(self, evaluation: Evaluation, of: Densities) -> dict[str, float]:
        """The figures of these densities, by the last part of their tags."""
        raise NotImplementedError


class JSDivergence(DensityMetric):
    """The Jensen-Shannon divergence in nats: 0 for equal, log 2 for disjoint distributions.

    Measured on 10,000 samples, five draws each, of Gaussians from a tenth to twice the truth's width and two widths
    away, mixtures of two, a uniform distribution and two spikes: right to 0.005, and below 1e-4 for the truth itself.
    """

    keys = ("js",)

    def figures(self, evaluation: Evaluation, of: Densities) -> dict[str, float]:
        log_m = np.logaddexp(of.log_p, of.log_q) - math.log(2)
        from_p, from_q = np.exp(of.log_p) * (of.log_p - log_m), np.exp(of.log_q) * (of.log_q - log_m)
        return {"js": of.integral(from_p + from_q) / 2}


class KL(DensityMetric):
    """KL(p‖q) and KL(q‖p) in nats.

    Measured as for `JSDivergence`: right to 8 % and 0.005, below 3e-4 for the truth itself. But where the truth has
    mass and no sample lies, no sample tells how little q is, and KL(p‖q) comes out too low: 146 for 502 between two
    spikes, 4 for infinity around a uniform distribution. For samples that are all equal, where both are infinite,
    KL(p‖q) is beyond 1e9.
    """

    keys = ("kl_real_fake", "kl_fake_real")

    def figures(self, evaluation: Evaluation, of: Densities) -> dict[str, float]:
        ratio = of.log_p - of.log_q
        return {
            "kl_real_fake": of.integral(np.exp(of.log_p) * ratio),
            "kl_fake_real": of.integral(np.exp(of.log_q) * -ratio),
        }


class OptimalDiscriminator(DensityMetric):
    """How far D(x) is from D* = p/(p+q), and what D itself makes of the divergence (Goodfellow et al. 2014, section 4).

    `discriminator_error` is the mean of |D - D*| where either density exceeds 1 % of its peak; `js_estimate` is
    (V + log 4)/2 with the value V = E_p log D + E_q log(1 - D). Empty for losses whose logits are no probabilities.
    """

    keys = ("discriminator_error", "js_estimate")
    neither = frozenset({"js_estimate"})

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        return super().__call__(evaluation) if evaluation.discriminator is not None and evaluation.probability else {}

    def figures(self, evaluation: Evaluation, of: Densities) -> dict[str, float]:
        from scipy.special import expit

        assert evaluation.discriminator is not None
        logits = evaluation.discriminator(torch.from_numpy(of.x).float()[:, None]).double().numpy().reshape(-1)
        p, q = np.exp(of.log_p), np.exp(of.log_q)
        there = of.weight * ((p > 0.01 * p.max()) | (q > 0.01 * q.max()))
        error = float(there @ np.abs(expit(logits) - expit(of.log_p - of.log_q)) / there.sum())
        value = of.integral(-p * np.logaddexp(0, -logits) - q * np.logaddexp(0, logits))
        return {"discriminator_error": error, "js_estimate": (value + math.log(4)) / 2}
