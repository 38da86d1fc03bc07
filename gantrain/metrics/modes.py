"""Coverage of known modes."""

from __future__ import annotations

import math
from contextlib import closing

import numpy as np

from gantrain.data import GaussianMixture, Mnist, Source, StackedMnist
from gantrain.metrics.base import Metric
from gantrain.metrics.classifier import Classifier, classifier_of
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import SAMPLES, within

AT_ONCE = 10_000
"""Points whose distances to all modes are held at once."""


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
            raise ValueError("metric modes needs dataset=ring8, grid25 or grid100: leave it out of metrics.use")

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        from scipy.spatial.distance import cdist
        from scipy.special import rel_entr

        source = evaluation.real.source
        assert isinstance(source, GaussianMixture)
        samples = evaluation.samples(self.n)
        if not samples.isfinite().all():
            return dict.fromkeys(self.keys, math.nan)
        centres = source.centres.cpu().double().numpy()
        counts, good = np.zeros((2, len(centres)), np.int64)  # samples by mode: all, and those of high quality
        for part in samples.split(AT_ONCE):
            distance = cdist(part.double().numpy(), centres)
            mode, near = distance.argmin(1), distance.min(1) <= 3 * source.std
            counts += np.bincount(mode, minlength=len(centres))
            good += np.bincount(mode[near], minlength=len(centres))
        share = counts / len(samples)
        return {
            "modes": int((good > 0).sum()),
            "high_quality": good.sum() / len(samples),
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
    streams = True

    def __init__(self, samples: int = 25_600) -> None:
        within(SAMPLES, samples=samples)
        self.n = samples

    def check(self, source: Source) -> None:
        if not isinstance(source, StackedMnist):
            raise ValueError("metric stacked_modes needs dataset=stacked_mnist: leave it out of metrics.use")

    def prepare(self, real: RealData) -> None:
        real.once(_classifier_of_digits)

    def protocol(self, evaluation: Evaluation) -> Protocol:
        space = str(evaluation.real.once(_classifier_of_digits))
        return self.protocol_of(evaluation, samples=self.n, space=space)

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        from scipy.special import rel_entr

        source = evaluation.real.source
        assert isinstance(source, StackedMnist)
        classify = evaluation.real.once(_classifier_of_digits)
        rows, columns = source.inside
        counts = np.zeros(1000, np.int64)
        for samples in evaluation.batches(self.n, at_once=1000):
            if not samples.isfinite().all():
                return dict.fromkeys(self.keys, math.nan)
            _, logits = classify(samples[..., rows, columns].flatten(0, 1).unsqueeze(1))
            digits = logits.argmax(1).view(-1, 3).numpy()
            counts += np.bincount(digits @ np.array([100, 10, 1]), minlength=1000)
        share = counts / counts.sum()
        return {"modes": int((counts > 0).sum()), "reverse_kl": rel_entr(share, np.full(1000, 1e-3)).sum()}


def _classifier_of_digits(real: RealData) -> Classifier:
    with closing(RealData(Mnist(), real.context)) as digits:
        return classifier_of(digits)
