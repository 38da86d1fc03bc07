"""KL and JS between the Gaussian on the line and samples of known densities."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from evaluations import evaluation_of
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor

from gantrain.data import Gaussian1d
from gantrain.metrics import KL, Evaluation, JSDivergence, Moments, OptimalDiscriminator, Wasserstein1, evaluate
from gantrain.metrics.density import PiecewiseGaussian

N = 10_000
MEAN, STD = 4.0, 0.5


def evaluation(samples: np.ndarray, discriminator: Callable[[Tensor], Tensor] | None = None) -> Evaluation:
    return evaluation_of(torch.from_numpy(samples).float()[:, None], Gaussian1d(), discriminator)


def figures(samples: np.ndarray) -> dict[str, float]:
    return evaluate({"kl": KL(), "js": JSDivergence()}, evaluation(samples))


def normal(mean: float, std: float, n: int = N) -> np.ndarray:
    return np.random.default_rng(0).normal(mean, std, n)


def js_with(density: Callable[[float], float], *bends: float) -> float:
    """JS(p, q) by adaptive quadrature between the places where q bends."""

    def integrand(x: float) -> float:
        p, q = norm.pdf(x, MEAN, STD), density(x)
        m = (p + q) / 2
        return sum(a * math.log(a / m) / 2 for a in (p, q) if a > 1e-200)

    ends = sorted({-2.0, 10.0, *bends})
    return sum(quad(integrand, low, high, limit=200)[0] for low, high in pairwise(ends))


@pytest.mark.parametrize(
    ("mean", "std"), [(4, 0.35), (4, 0.25), (4, 0.15), (4, 0.05), (4, 1), (4.5, 0.5), (5, 0.8), (-100, 0.5)]
)
def test_kl_of_gaussians_is_the_closed_form(mean: float, std: float) -> None:
    """KL(N(m, s²) ‖ N(μ, σ²)) = log σ/s + (s² + (m - μ)²)/(2σ²) - ½, both ways."""

    def closed(m: float, s: float, mu: float, sigma: float) -> float:
        return math.log(sigma / s) + (s**2 + (m - mu) ** 2) / (2 * sigma**2) - 0.5

    found = figures(normal(mean, std))
    assert found["metrics/kl_real_fake"] == pytest.approx(closed(MEAN, STD, mean, std), rel=0.08)
    assert found["metrics/kl_fake_real"] == pytest.approx(closed(mean, std, MEAN, STD), rel=0.08)
    wanted = js_with(lambda x: norm.pdf(x, mean, std), mean, *(mean + k * std for k in (-8, -2, 2, 8)))
    assert found["metrics/js"] == pytest.approx(wanted, abs=0.005)


@pytest.mark.parametrize("seed", range(5))
def test_the_truth_has_no_distance(seed: int) -> None:
    found = figures(np.random.default_rng(seed).normal(MEAN, STD, N))
    assert 0 <= found["metrics/js"] < 1e-4
    assert 0 <= found["metrics/kl_real_fake"] < 3e-4
    assert 0 <= found["metrics/kl_fake_real"] < 3e-4


@pytest.mark.parametrize("std", [0.25, 0.05, 0.01, 0.0025])
def test_two_modes_are_told_from_one_at_any_width(std: float) -> None:
    r = np.random.default_rng(0)
    samples = r.choice([3.5, 4.5], N) + std * r.standard_normal(N)

    def density(x: float) -> float:
        return float(norm.pdf(x, 3.5, std) + norm.pdf(x, 4.5, std)) / 2

    bends = [centre + k * std for centre in (3.5, 4.5) for k in (-10, -3, 0, 3, 10)]
    assert figures(samples)["metrics/js"] == pytest.approx(js_with(density, *bends), abs=0.005)


def test_a_spike_in_the_midst_of_the_truth() -> None:
    """Half of the samples are right, half in one place: JS = ½·log 4/3 + ½·(½·log ⅔ + ½·log 2)."""
    samples = np.concatenate([normal(MEAN, STD, N // 2), np.full(N // 2, 4.2)])
    wanted = (math.log(4 / 3) + math.log(2 / 3) / 2 + math.log(2) / 2) / 2
    assert figures(samples)["metrics/js"] == pytest.approx(wanted, abs=0.005)


def test_a_uniform_distribution() -> None:
    """KL(U[3, 5] ‖ N(μ, σ²)) = -log 2 + log(σ√2π) + E(x - 4)²/(2σ²), with E = 1/3; the other way it is infinite."""
    found = figures(np.random.default_rng(0).uniform(3, 5, N))
    wanted = -math.log(2) + math.log(STD * math.sqrt(2 * math.pi)) + 1 / 3 / (2 * STD**2)
    assert found["metrics/kl_fake_real"] == pytest.approx(wanted, rel=0.08)
    assert found["metrics/js"] == pytest.approx(js_with(lambda x: 0.5 * (3 < x < 5), 3, 5), abs=0.005)
    assert 0.2 < found["metrics/kl_real_fake"] < 10, "a handful of samples at the end must not say how the tail falls"


@pytest.mark.parametrize("place", [4.0, 40.0, 0.0, -3e38])
def test_one_point_is_disjoint_from_any_density(place: float) -> None:
    found = figures(np.full(N, place))
    assert found["metrics/js"] == pytest.approx(math.log(2), abs=1e-4)
    assert found["metrics/kl_fake_real"] > 10
    assert found["metrics/kl_real_fake"] > 1e9
    assert all(math.isfinite(value) for value in found.values())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_samples_that_are_no_numbers_have_no_figures(bad: float) -> None:
    samples = normal(MEAN, STD, 100)
    samples[7] = bad
    of = evaluation(samples, lambda x: x[:, 0])
    found = evaluate({"kl": KL(), "js": JSDivergence(), "d": OptimalDiscriminator()}, of)  # a warning is an error here
    assert len(found) == 5
    assert all(math.isnan(value) for value in found.values())
    with np.errstate(invalid="ignore"):
        found = evaluate({"w": Wasserstein1(), "m": Moments()}, of)
    assert not any(math.isfinite(value) for value in found.values())


def test_the_density_is_found_once_an_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[PiecewiseGaussian] = []
    begin = PiecewiseGaussian.__init__

    def watched(self: PiecewiseGaussian, samples: np.ndarray, narrowest: float) -> None:
        made.append(self)
        begin(self, samples, narrowest)

    monkeypatch.setattr(PiecewiseGaussian, "__init__", watched)
    metrics = {"kl": KL(), "js": JSDivergence(), "d": OptimalDiscriminator()}
    found = evaluate(metrics, evaluation(normal(MEAN, STD), lambda x: x[:, 0]))
    assert len(found) == 5
    assert len(made) == 1
    evaluate({"few": KL(100), "more": JSDivergence(200)}, evaluation(normal(MEAN, STD)))
    assert len(made) == 3


def test_the_best_discriminator_has_no_error_and_knows_js() -> None:
    """D* = p/(p + q) with q = N(5, 0.8²), whose value is 2·JS - log 4."""

    def best(x: Tensor) -> Tensor:
        places = x[:, 0].double().numpy()
        return torch.from_numpy(norm.logpdf(places, MEAN, STD) - norm.logpdf(places, 5, 0.8))

    found = OptimalDiscriminator()(evaluation(normal(5, 0.8), best))
    js = js_with(lambda x: norm.pdf(x, 5, 0.8))
    assert found["discriminator_error"] < 0.01
    assert found["js_estimate"] == pytest.approx(js, abs=0.005)
    blind = OptimalDiscriminator()(evaluation(normal(5, 0.8), lambda x: torch.zeros(len(x))))
    assert blind["js_estimate"] == pytest.approx(0, abs=1e-6)
    assert blind["discriminator_error"] > 0.2
