"""The likelihood of real numbers under a kernel density estimate of generated ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gantrain.data import Source
from gantrain.errors import UserError
from gantrain.metrics.base import Metric
from gantrain.metrics.evaluation import Evaluation, Part, RealData
from gantrain.metrics.paired import all_finite
from gantrain.metrics.pairwise import squared_distances
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import within

WIDTHS = torch.logspace(-3, -0.5, 26, dtype=torch.float64)
"""Bandwidths that are tried, in standard deviations of the real samples: ten for each power of ten.

No wider than 0.32, Silverman's for 400 samples: else one point with a kernel as wide as the data would pass for them.
"""
AT_ONCE = 2**18
"""Distances that are looked at together, so that they stay in the processor's cache."""


def parzen_log_likelihood(x: Tensor, generated: Tensor, widths: Tensor) -> Tensor:
    """The mean of log 1/n Σ_i N(x; g_i, width²) over points x (m, d), for each of the widths (B,), in nats."""
    n, d = generated.shape
    total = torch.zeros(len(widths), dtype=torch.float64)
    for _, table in squared_distances(x, generated):
        for part in table.split(max(AT_ONCE // n, 1)):
            for at, width in enumerate(widths.tolist()):
                total[at] += (part * (-0.5 / width**2)).logsumexp(1).sum().cpu()
    return total / len(x) - math.log(n) - d * (widths * math.sqrt(2 * math.pi)).log()


class Parzen(Metric):
    """The log-likelihood of real samples under a Gaussian kernel density estimate of generated ones, in nats a sample.

    The bandwidth is the one under which other real samples are the likeliest (Goodfellow et al. 2014, section 5), but
    no wider than a third of the data (`WIDTHS`), so that a collapse is seen. On one and two dimensions alone, for in
    more the figure says nothing of how good samples are (Theis et al. 2016). Held-out samples are judged where there
    are some. NaN where a sample is not finite.

    Args:
        samples: how many are generated.
        real: how many real samples are judged; as many again choose the bandwidth.
    """

    keys = ("parzen",)
    higher_is_better = frozenset(keys)

    def __init__(self, samples: int = 5000, real: int = 1000) -> None:
        within("[2, 1000000]", samples=samples, real=real)
        self.n, self.judged = samples, real

    def check(self, source: Source) -> None:
        if math.prod(source.shape) > 2:
            raise ValueError(
                "metric parzen is for numbers of one and two dimensions, such as dataset=gaussian1d or ring8: in more "
                "a kernel density tells nothing; use diversity_pixels or memorised_pixels"
            )

    def prepare(self, real: RealData) -> None:
        size = real.open(_split(real)).size
        if size is not None and size < 2:
            raise UserError("metric parzen needs 2 or more real samples to judge: leave it out of metrics.use")

    def protocol(self, evaluation: Evaluation) -> Protocol:
        real = evaluation.real
        return self.protocol_of(evaluation, samples=self.n, real=len(_judged(real, self.judged)[1]), split=_split(real))

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        others, judged = evaluation.real.once(_judged, self.judged)
        generated = evaluation.samples(self.n).flatten(1)
        widths = WIDTHS * others.double().std(0).mean()
        if not all_finite(generated, others, judged) or not widths.isfinite().all() or not widths.all():
            return {"parzen": math.nan}
        chosen = parzen_log_likelihood(others, generated, widths).argmax()
        return {"parzen": parzen_log_likelihood(judged, generated, widths[chosen, None]).item()}


def _split(real: RealData) -> Part:
    return "train" if real.source.held_out_part() is None else "held_out"


def _judged(real: RealData, n: int) -> tuple[Tensor, Tensor]:
    """Real samples on the CPU: n that choose the bandwidth, and n that are judged; fewer where there are fewer."""
    size = real.open(_split(real)).size
    count = n if size is None else min(n, size // 2)
    x = torch.cat([batch["real"].cpu() for batch in real.batches(_split(real), 2 * count)]).flatten(1)
    return x[:count], x[count:]
