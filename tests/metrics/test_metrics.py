"""Figures against closed forms, and the optimal discriminator."""

from __future__ import annotations

import math
from inspect import signature

import numpy as np
import pytest
import torch
from evaluations import evaluation_of, real_of
from omegaconf import OmegaConf
from scipy.stats import norm
from torch import Tensor

from gantrain import metrics
from gantrain.data import Digits, Gaussian1d, Ring
from gantrain.losses import NonSaturating
from gantrain.metrics import (
    KL,
    Evaluation,
    JSDivergence,
    Modes,
    Moments,
    OptimalDiscriminator,
    Wasserstein1,
    evaluate,
    modes,
)
from gantrain.metrics.gaussian import wasserstein1_to_normal
from gantrain.networks import MLPDiscriminator
from gantrain.options import CONFIGS

LOG4 = math.log(4)


def of(x: Tensor, source: Gaussian1d | Ring | None = None, discriminator=None) -> Evaluation:  # type: ignore[no-untyped-def]
    return evaluation_of(x, source or Gaussian1d(), discriminator)


def quantiles(n: int = 10_000) -> np.ndarray:
    return norm.ppf((np.arange(n) + 0.5) / n)


@pytest.mark.parametrize(("shift", "scale"), [(0, 1), (0.3, 1), (0, 2), (-5, 1)])
def test_w1_between_gaussians(shift: float, scale: float) -> None:
    """W1 of N(m, s²) to N(0, 1): |m| for a shift, |s - 1|·√(2/π) for a scale."""
    found = wasserstein1_to_normal(quantiles() * scale + shift, 0, 1)
    wanted = abs(shift) if scale == 1 else abs(scale - 1) * math.sqrt(2 / math.pi)
    assert found == pytest.approx(wanted, abs=2e-3)


def test_w1_of_one_point_is_exact() -> None:
    """E|x - X| for X ~ N(0, 1) and x = 1: 2φ(1) + 2Φ(1) - 1."""
    assert wasserstein1_to_normal(np.ones(7), 0, 1) == pytest.approx(2 * norm.pdf(1) + 2 * norm.cdf(1) - 1, rel=1e-9)


def test_figures_of_a_perfect_generator() -> None:
    x = torch.from_numpy(4 + 0.5 * quantiles())[:, None]
    assert Wasserstein1()(of(x))["wasserstein1"] < 1e-3
    moments = Moments()(of(x))
    assert (moments["mean"], moments["std"]) == (pytest.approx(4), pytest.approx(0.5, rel=1e-3))
    assert JSDivergence()(of(x))["js"] < 2e-3
    kl = KL()(of(x))
    assert abs(kl["kl_fake_real"]) < 0.02
    assert abs(kl["kl_real_fake"]) < 0.02


def test_js_of_disjoint_and_of_one_point() -> None:
    assert JSDivergence()(of(torch.randn(1000, 1) - 100))["js"] == pytest.approx(math.log(2), rel=1e-3)
    assert JSDivergence()(of(torch.full((1000, 1), 40.0)))["js"] == pytest.approx(math.log(2), rel=1e-3)


@pytest.mark.parametrize("at_once", [1, 3, 10_000])
def test_modes_by_hand(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 of 8 modes hit; half of the samples within 3σ; reverse KL of shares (½, ¼, ¼) against ⅛."""
    monkeypatch.setattr(modes, "AT_ONCE", at_once)
    centres = Ring().centres
    x = torch.cat([centres[[0, 0, 1, 2]], centres[[0, 0, 1, 2]] * 1.1])
    found = Modes()(of(x, Ring()))
    assert (found["modes"], found["high_quality"]) == (3, 0.5)
    wanted = 0.5 * math.log(0.5 * 8) + 2 * 0.25 * math.log(0.25 * 8)
    assert found["reverse_kl"] == pytest.approx(wanted)


def test_modes_count_only_what_is_near_and_shares_count_all() -> None:
    """3.1σ away is no hit, 2.9σ is; shares are of all samples, near or not: ¾ and ¼ against ⅛."""
    ring = Ring()
    one, two = ring.centres[0], ring.centres[1]
    off = torch.tensor([0.0, ring.std])
    x = torch.stack([one + 2.9 * off, one - 3.1 * off, one + 3.1 * off, two + 3.1 * off])
    found = Modes()(of(x, ring))
    assert (found["modes"], found["high_quality"]) == (1, 0.25)
    assert found["reverse_kl"] == pytest.approx(0.75 * math.log(0.75 * 8) + 0.25 * math.log(0.25 * 8))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_modes_of_samples_that_are_no_numbers(bad: float) -> None:
    """They are nearest to no mode: none of the figures may look like one."""
    x = Ring().centres.repeat(10, 1)
    x[3, 1] = bad
    assert all(math.isnan(value) for value in Modes()(of(x, Ring())).values())


def test_samples_are_drawn_once_for_all_metrics_and_tagged() -> None:
    asked: list[int] = []

    def generate(n: int) -> list[Tensor]:
        asked.append(n)
        return [torch.zeros(n, 1)]

    evaluation = Evaluation(real_of(Gaussian1d()), generate)
    found = evaluate({"w": Wasserstein1(50), "m": Moments(50), "few": Moments(20)}, evaluation)
    assert asked == [500], "in whole batches, the first of which are fewer samples"
    assert found.keys() == {"metrics/wasserstein1", "metrics/mean", "metrics/std"}
    assert all(type(value) is float for value in found.values())


def test_modes_of_real_data() -> None:
    torch.manual_seed(0)
    found = Modes()(of(Ring().sample(2500, torch.device("cpu"))["real"], Ring()))
    assert found["modes"] == 8
    assert found["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.01)


def test_metrics_know_their_data() -> None:
    with pytest.raises(ValueError, match="dataset=gaussian1d"):
        Wasserstein1().check(Ring())
    with pytest.raises(ValueError, match="dataset=ring8"):
        Modes().check(Digits())


def test_trained_discriminator_is_the_optimal_one() -> None:
    """With G(z) = 5 + 0.8z frozen, q is known: D(x) comes near p/(p+q), and its value near the JS divergence."""
    torch.manual_seed(0)
    source, loss = Gaussian1d(), NonSaturating()
    discriminator = MLPDiscriminator([1], [64, 64], activation="silu")
    optimizer = torch.optim.Adam(discriminator.parameters(), 3e-3, fused=True)
    steps = 1500
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * 0.5 * (1 + math.cos(math.pi * step / steps))
        real = source.sample(1024, torch.device("cpu"))["real"]
        fake = 5 + 0.8 * torch.randn(1024, 1)
        logits = discriminator(torch.cat([real, fake]))
        optimizer.zero_grad()
        loss.discriminator(logits[:1024], logits[1024:]).backward()
        optimizer.step()

    x = np.linspace(-2, 12, 4001)
    p, q = norm.pdf(x, 4, 0.5), norm.pdf(x, 5, 0.8)
    there = (p > 0.01 * p.max()) | (q > 0.01 * q.max())
    with torch.no_grad():
        d = discriminator(torch.from_numpy(x).float()[:, None]).sigmoid().double().numpy()
    assert np.abs(d - p / (p + q))[there].mean() <= 0.05

    value = np.trapezoid(p * np.log(d) + q * np.log1p(-d), x)
    m = (p + q) / 2
    js = np.trapezoid((p * np.log(p / m) + q * np.log(q / m)) / 2, x)
    assert (value + LOG4) / 2 == pytest.approx(js, rel=0.05)

    fake = torch.from_numpy(5 + 0.8 * quantiles())[:, None]

    def judge(x: Tensor) -> Tensor:
        with torch.no_grad():
            return discriminator(x)

    found = OptimalDiscriminator()(of(fake, source, judge))
    assert found["discriminator_error"] <= 0.05
    assert found["js_estimate"] == pytest.approx(js, rel=0.05)


def test_optimal_discriminator_is_silent_for_scores() -> None:
    assert OptimalDiscriminator()(of(torch.randn(10, 1))) == {}


def test_every_metric_that_has_a_split_takes_it_from_the_command_line() -> None:
    """A setting must stand in the configuration, or metrics.known.<name>.split=held_out is none."""
    known = OmegaConf.load(CONFIGS / "metrics" / "known.yaml").known
    for name, settings in known.items():
        made = getattr(metrics, settings._target_.rpartition(".")[2])
        assert ("split" in settings) == ("split" in signature(made).parameters), name
