"""Densities of the sets that tell theirs, with noise on them or without."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import CPU

from gantrain.data import Gaussian1d, Grid, KnownDistribution, Ring


@pytest.mark.parametrize("blur", [0.0, 0.3])
def test_a_density_is_that_of_samples_with_noise_on_them(blur: float) -> None:
    """Its integral is 1, and in each of some cells it is the share of samples."""
    torch.manual_seed(0)
    for source in (Gaussian1d(1.0, 0.5), Ring(std=0.2), Grid(side=3, spacing=1.5, std=0.2)):
        assert isinstance(source, KnownDistribution)
        samples = source.sample(200_000, CPU)["real"]
        samples = (samples + blur * torch.randn_like(samples)).numpy()
        dimensions = source.shape[0]
        edges = np.linspace(-4, 4, 401 if dimensions == 1 else 161)
        middles = np.meshgrid(*[(edges[1:] + edges[:-1]) / 2] * dimensions, indexing="ij")
        found = source.density(np.stack([m.ravel() for m in middles], 1), blur).reshape(middles[0].shape)
        cell = (edges[1] - edges[0]) ** dimensions
        assert found.sum() * cell == pytest.approx(1, abs=1e-3)
        counts, _ = np.histogramdd(samples, [edges] * dimensions)
        shape = [part for size in found.shape for part in (size // 20, 20)]
        axes = tuple(range(1, 2 * dimensions, 2))
        shares = counts.reshape(shape).sum(axes) / len(samples)
        assert (found.reshape(shape).sum(axes) * cell) == pytest.approx(shares, abs=6e-3)
