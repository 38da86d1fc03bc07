"""Noise cut off at a bound."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import truncnorm

from gantrain.networks import Noise


@pytest.mark.parametrize("bound", [0.3, 1.0, 2.5])
def test_truncated_noise_is_of_the_truncated_normal_distribution(bound: float) -> None:
    torch.manual_seed(0)
    noise = Noise(4).sample(100_000, torch.device("cpu"))
    cut = Noise(4).truncate(noise, bound)
    assert cut.abs().max() <= bound
    assert cut.dtype == noise.dtype
    quantiles = torch.linspace(0.01, 0.99, 9, dtype=torch.float64)
    wanted = truncnorm(-bound, bound).ppf(quantiles.numpy())
    assert cut[:, 0].double().quantile(quantiles).numpy() == pytest.approx(wanted, abs=0.01)
    order = noise[:, 1].argsort()
    assert (cut[order, 1].diff() >= 0).all()


def test_a_wide_bound_changes_nothing() -> None:
    noise = torch.linspace(-4, 4, 81)[:, None]
    torch.testing.assert_close(Noise(1).truncate(noise, 30.0), noise, atol=1e-5, rtol=0)


def test_only_normal_noise_has_tails() -> None:
    with pytest.raises(ValueError, match="leave it out"):
        Noise(2, "uniform").truncate(torch.zeros(1, 2), 1.0)
