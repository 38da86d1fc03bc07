"""Cheap comparisons of generated with real samples, in pixels or numbers as they are: for health, never called results.

Samples are (n, D) float32, few enough that all their distances fit into memory at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gantrain.metrics.class_balance import MISSING
from gantrain.metrics.spectrogram import spectrograms

LARGEST_SIDE = 64
"""In pixels, of pictures that are compared."""
CHANCE = 4.0
"""Standard deviations from chance at which labels are taken to say something about samples."""
TRUSTED = 0.75
"""Share of right answers from which on the nearest sample's label is taken for a sample's own."""
MANY_CLASSES = 20
"""A class is looked for only where so many generated samples would have it."""


def comparable(x: Tensor) -> Tensor:
    """Samples (n, …) as they are compared, (n, D) float32: larger pictures made smaller, sound as spectrograms."""
    if x.dim() == 3:
        return spectrograms(x).flatten(1)
    factor = -(-max(x.shape[2:]) // LARGEST_SIDE) if x.dim() == 4 else 1
    x = x.float()
    return (nn.functional.avg_pool2d(x, factor, ceil_mode=True) if factor > 1 else x).flatten(1)


def energy_distance(x: Tensor, real: Tensor) -> float:
    """(2 E|x - y| - E|x - x'| - E|y - y'|) / (2 E|x - y|) (Székely & Rizzo 2013): 0 where both are alike, at most 1.

    Both inner means leave out the distance of a sample to itself, so that it may fall a little below 0.
    """
    across = torch.cdist(x, real).mean()
    inside = torch.pdist(x).mean() + torch.pdist(real).mean()
    return float((2 * across - inside) / (2 * across).clamp(min=1e-12))


def missing(x: Tensor, real: Tensor, others: Tensor) -> float:
    """The share of real samples that have no generated one near.

    Near is what 95 % of them have a sample of `others` in, which are real too, and at least a quarter of the mean
    distance between two of them.
    """
    if not len(others):
        return 0.0
    usual = torch.cdist(real, others).amin(1).quantile(0.95)
    near = torch.maximum(usual, torch.pdist(real).mean() / 4)
    return float((torch.cdist(real, x).amin(1) > near).float().mean())


def copied(distances: Tensor, apart: Tensor, share: float) -> float:
    """The share of generated samples that copy a training sample: nearer to it than half of what parts two of these.

    Args:
        distances: of generated samples to the nearest known training sample.
        apart: of known training samples to the nearest other one; half of their median is meant.
        share: of the training samples that are known: so many of the copies are found.
    """
    return min(float((distances < apart.median() / 2).float().mean()) / share, 1.0)


def label_excess(labels: Tensor, agreement: float) -> float:
    """By how many standard deviations more of the nearest samples have the same label than chance would give.

    Args:
        labels: (n,) of the samples.
        agreement: the share of samples whose nearest other has their label.
    """
    counts = torch.bincount(labels).double() / len(labels)
    chance = float(counts.square().sum())
    return (agreement - chance) / math.sqrt(max(chance * (1 - chance), 1e-12) / len(labels))


def missing_classes(found: Tensor, labels: Tensor, agreement: float) -> int | None:
    """How many classes of the data are not among generated samples; None where that cannot be told.

    Args:
        found: (m,) labels of the training samples nearest to generated ones.
        labels: (n,) of training samples.
        agreement: the share of these whose nearest other has their label: whether neighbours can be trusted.
    """
    if agreement < TRUSTED:
        return None
    shares = torch.bincount(labels).double() / len(labels)
    counts = torch.bincount(found, minlength=len(shares)).double()
    expected = shares * len(found)
    rare = counts < MISSING * expected
    return int((rare & (expected >= MANY_CLASSES)).sum())


def high_frequency_share(parts: Iterable[Tensor]) -> float:
    """Decibels of power from two thirds of Nyquist's frequency on, corners too, over the power of all but the mean.

    Power is that of the mean spectrum (Durall et al. 2020, section 3). It is set against the whole of the same
    pictures, so that mere contrast does not count: how far two sets of pictures are apart is a difference of these.

    Args:
        parts: of pictures, each (n, C, H, W).
    """
    power, width = torch.zeros(()), 0
    for x in parts:
        power, width = power.to(x.device) + torch.fft.rfft2(x.float()).abs().square().sum((0, 1)), x.shape[3]
    rows = torch.fft.fftfreq(power.shape[0]).to(power.device)
    columns = torch.fft.rfftfreq(width).to(power.device)
    radius = torch.hypot(rows[:, None], columns[None])
    power[0, 0] = 0.0
    upper = power[radius >= 1 / 3].sum()
    return float(10 * torch.log10(upper.clamp(min=1e-12) / power.sum().clamp(min=1e-12)))
