"""The optimal discriminator of numbers whose density is known, from samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Density = Callable[[np.ndarray, float], np.ndarray]
"""Points (N, D) and a width to the density (N,) of real data blurred by a Gaussian of that standard deviation."""

LEAST = 0.01
"""Where real and generated density together are below this share of the real peak, no optimum is told."""
BLUR = 1.2
"""The standard deviation of the Gaussian that blurs both densities, in cells."""
FINER = 3
"""Cells of the histogram along a cell of the result, odd: a sample counts in the middle of its own, which moves it."""


def optimal_discriminator(samples: np.ndarray, density: Density, edges: list[np.ndarray]) -> np.ndarray:
    """D* = p/(p + q) on a grid (Goodfellow et al. 2014, proposition 1); NaN where neither has mass.

    q is a histogram of the samples (N, D), blurred; p is blurred by as much, so that D* is the optimum for data and
    samples with a little noise on them and does not depend on how rough the histogram is.

    Args:
        density: p.
        edges: of the grid's cells, evenly spaced, for each of the D axes; the result is (cells, …) in the same order.
    """
    from scipy.ndimage import gaussian_filter

    fine = [np.linspace(axis[0], axis[-1], FINER * (len(axis) - 1) + 1) for axis in edges]
    counts, _ = np.histogramdd(samples, fine)
    blurred = gaussian_filter(counts, BLUR * FINER, mode="constant")[(slice(FINER // 2, None, FINER),) * len(edges)]
    q = blurred / (max(len(samples), 1) * np.prod([axis[1] - axis[0] for axis in fine]))
    middles = np.meshgrid(*((axis[1:] + axis[:-1]) / 2 for axis in edges), indexing="ij")
    # one width for all axes: cells are squares, or the axis is the only one
    p = density(np.stack([middle.ravel() for middle in middles], 1), BLUR * (edges[0][1] - edges[0][0])).reshape(
        q.shape
    )
    both = p + q
    return np.where(both > LEAST * p.max(), p / np.maximum(both, np.finfo(float).tiny), np.nan)
