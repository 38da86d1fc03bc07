"""Distributions with a known density, drawn afresh for every batch."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from gantrain.data.batches import Batches, DeviceBatches, DrawnBatches
from gantrain.data.source import DataContext, Source
from gantrain.ranges import FINITE, NOT_NEGATIVE, POSITIVE, within
from gantrain.seeding import Purpose, mix, seed_default


class Distribution(Source):
    """A source whose samples are drawn."""

    licence = "none is needed: the data follow from a formula"

    def sample(self, n: int, device: torch.device) -> dict[str, Tensor]:
        """n samples from the default generator."""
        raise NotImplementedError

    def open(self, context: DataContext) -> Batches:
        if context.limit is None:
            return DrawnBatches(self.sample, context.device)
        seed_default(mix(context.seed, Purpose.FIXED_DATA), torch.device("cpu"))
        fixed = self.sample(context.limit, torch.device("cpu"))
        return DeviceBatches({k: v.numpy() for k, v in fixed.items()}, context.device, context.seed)


class KnownDistribution(Distribution):
    """A distribution that tells its density."""

    def density(self, x: np.ndarray, blur: float = 0.0) -> np.ndarray:
        """The density (N,) at points (N, D) of samples to which Gaussian noise of the width `blur` is added."""
        raise NotImplementedError


class Gaussian1d(KnownDistribution):
    """N(mean, std²) on the line, the set of the 1-D GAN demo (AYLIEN, "An introduction to GANs in TensorFlow", 2016).

    Args:
        mean, std: of the Gaussian.
        sorted: sort every batch, as the demo does.

    Raises:
        ValueError: `std` is not positive.
    """

    suited_metrics = ("wasserstein1", "moments", "js_divergence", "kl", "optimal_discriminator")

    def __init__(self, mean: float = 4.0, std: float = 0.5, sorted: bool = False) -> None:
        within(FINITE, mean=mean)
        within(POSITIVE, std=std)
        self.mean, self.std, self.sorted = mean, std, sorted
        self.shape = [1]

    def sample(self, n: int, device: torch.device) -> dict[str, Tensor]:
        x = torch.randn(n, 1, device=device) * self.std + self.mean
        return {"real": x.sort(0).values if self.sorted else x}

    def density(self, x: np.ndarray, blur: float = 0.0) -> np.ndarray:
        return _gaussian((x - self.mean)[:, 0] ** 2, math.hypot(self.std, blur), dimensions=1)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) for points of any shape."""
        return -0.5 * ((x - self.mean) / self.std) ** 2 - math.log(self.std * math.sqrt(2 * math.pi))


class GaussianMixture(KnownDistribution):
    """Equal Gaussians around given points of the plane; the label is the mode.

    Args:
        centres: (M, 2) points.
        std: of each Gaussian, the same in both directions.

    Raises:
        ValueError: `std` is not positive.
    """

    suited_metrics = ("modes", "diversity_values")
    followed = "metrics/high_quality"  # modes are soon hit, and how often each is hit is mostly chance
    suited_samples = 2000

    def __init__(self, centres: list[list[float]], std: float) -> None:
        within("[1, 100000]", modes=len(centres))
        within(FINITE, centres=centres)
        within(POSITIVE, std=std)
        if any(len(centre) != 2 for centre in centres):
            raise ValueError("centres must be points of two numbers each")
        self.centres = torch.tensor(centres, dtype=torch.float32)
        self.std = std
        self.shape = [2]
        self.classes = len(centres)

    def sample(self, n: int, device: torch.device) -> dict[str, Tensor]:
        if self.centres.device != device:
            self.centres = self.centres.to(device)
        label = torch.randint(len(self.centres), (n,), device=device)
        around = torch.randn(n, 2, device=device).mul_(self.std)
        return {"real": around.add_(self.centres.index_select(0, label)), "label": label}

    def density(self, x: np.ndarray, blur: float = 0.0) -> np.ndarray:
        width, total = math.hypot(self.std, blur), np.zeros(len(x))
        for centre in self.centres.double().cpu().numpy():
            total += _gaussian(((x - centre) ** 2).sum(1), width, dimensions=2)
        return total / len(self.centres)


def _gaussian(squared: np.ndarray, std: float, dimensions: int) -> np.ndarray:
    """The density of a round Gaussian at these squared distances from its centre."""
    return np.exp(-0.5 * squared / std**2) / (std * math.sqrt(2 * math.pi)) ** dimensions


class Ring(GaussianMixture):
    """`modes` Gaussians evenly spaced on a circle (Metz et al. 2016; Lin et al. 2018 with these numbers)."""

    def __init__(self, modes: int = 8, radius: float = 1.0, std: float = 0.01) -> None:
        within("[1, 100000]", modes=modes)
        within(NOT_NEGATIVE, radius=radius)
        angles = [2 * math.pi * k / modes for k in range(modes)]
        super().__init__([[radius * math.cos(a), radius * math.sin(a)] for a in angles], std)


class Grid(GaussianMixture):
    """`side`² Gaussians on a square grid around 0 (Lin et al. 2018 with these numbers)."""

    def __init__(self, side: int = 5, spacing: float = 2.0, std: float = 0.05) -> None:
        within("[1, 300]", side=side)
        within(NOT_NEGATIVE, spacing=spacing)
        axis = [spacing * (k - (side - 1) / 2) for k in range(side)]
        super().__init__([[x, y] for x in axis for y in axis], std)
