"""Coverage of known modes."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.special import rel_entr

from gantrain.data import GaussianMixture, Source, StackedMnist
from gantrain.metrics.base import Evaluation, Metric
from gantrain.metrics.digit_classifier import digit_classifier
from gantrain.ranges import SAMPLES, within


class Modes(Metric):
    """Modes hit, share of samples near one, and reverse KL over modes (Lin et al. 2018, section 4.1).

    A sample belongs to its nearest mode and is of high quality within three standard deviations of it. A mode is hit
    where at least one sample of high quality belongs to it. `reverse_kl` is KL(generated ‖ real) between the shares of
    samples per mode, in nats. All are NaN where a sample is not finite.

    Args:
        samples: 2,500 in the paper.
    """

    keys = ("modes", "high_quality", "reverse_kl")
    higher_is_better = frozenset({"modes", "high_quality"})

    def __init__(self, samples: int = 2500) -> None:
        within(SAMPLES, samples=samples)
        self.n = samples

    def check(self, source: Source) -> None:
        if not isinstance(source, GaussianMixture):
            raise ValueError("metric modes needs dataset=ring8 or grid25: leave it out of metrics.use")

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        source = evaluation.source
        assert isinstance(source, GaussianMixture)
        samples = evaluation.samples(self.n)
        if not np.isfinite(samples).all():
            return dict.fromkeys(self.keys, math.nan)
        distance = cdist(samples, source.centres.cpu().double().numpy())
        mode, near = distance.argmin(1), distance.min(1) <= 3 * source.std
        share = np.bincount(mode, minlength=len(source.centres)) / len(mode)
        return {
            "modes": len(np.unique(mode[near])),
            "high_quality": near.mean(),
            "reverse_kl": rel_entr(share, np.full_like(share, 1 / len(share))).sum(),
        }


class StackedModes(Metric):
    """Modes of stacked MNIST: how many of the 1,000 three-digit numbers are there, and KL(generated ‖ uniform) in nats.

    A classifier of digits names each channel (Metz et al. 2017, section 3.3.1, who count over 25,600 samples). Both are
    NaN where a sample is not finite.

    Args:
        samples: how many are drawn.
    """

    keys = ("modes", "reverse_kl")
    higher_is_better = frozenset({"modes"})

    def __init__(self, samples: int = 25_600) -> None:
        within(SAMPLES, samples=samples)
        self.n = samples

    def check(self, source: Source) -> None:
        if not isinstance(source, StackedMnist):
            raise ValueError("metric stacked_modes needs dataset=stacked_mnist: leave it out of metrics.use")

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        assert isinstance(evaluation.source, StackedMnist)
        assert evaluation.place is not None
        name = digit_classifier(evaluation.place)
        border = evaluation.source.border
        samples = torch.from_numpy(evaluation.samples(self.n))
        if not samples.isfinite().all():
            return dict.fromkeys(self.keys, math.nan)
        inside = samples[..., border : samples.shape[-2] - border, border : samples.shape[-1] - border]
        # few at a time, for each part is copied when it is cropped
        named = [name(part.flatten(0, 1).unsqueeze(1)) for part in inside.split(1000)]
        digits = torch.cat(named).view(-1, 3).numpy()
        counts = np.bincount(digits @ np.array([100, 10, 1]), minlength=1000)
        share = counts / counts.sum()
        return {"modes": int((counts > 0).sum()), "reverse_kl": rel_entr(share, np.full(1000, 1e-3)).sum()}
