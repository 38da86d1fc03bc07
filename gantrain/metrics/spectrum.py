"""The power of pictures by frequency: where upsampling leaves its traces."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from gantrain.data import Source, to_pixels
from gantrain.metrics.base import Metric
from gantrain.metrics.evaluation import AT_ONCE, Evaluation, Part, RealData
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import within

ROUNDING = 1 / 255**2 / 12
"""The power per pixel of rounding to 256 levels: no picture's spectrum is known below it."""


@dataclass(frozen=True)
class Spectrum:
    """Mean power (R,) at frequencies (R,) in cycles per pixel, ascending, from just above 0 to the corner's √½."""

    frequency: Tensor
    power: Tensor


def spectrum(pictures: Iterable[Tensor]) -> Spectrum:
    """The mean spectrum of pictures uint8 (n, C, H, W), given in parts: azimuthally averaged power of their brightness.

    As Durall et al. 2020, equation 2, but the mean of a ring instead of its sum. A ring is as wide as the lowest
    frequency that the longer side holds.
    """
    total, count = None, 0
    for part in pictures:
        grey = part.double().mean(1) / 255
        power = torch.fft.fft2(grey, norm="ortho").abs().square().sum(0).cpu()
        total, count = power if total is None else total + power, count + len(part)
    assert total is not None, "there are pictures"
    height, width = total.shape
    radius = torch.fft.fftfreq(height).double()[:, None].hypot(torch.fft.fftfreq(width).double())
    ring = (radius * max(height, width)).round().long().flatten()
    power = torch.zeros(int(ring.max()) + 1, dtype=torch.float64).index_add_(0, ring, total.flatten() / count)
    power = power[1:] / ring.bincount()[1:]  # without the brightness itself
    return Spectrum(torch.arange(1, len(power) + 1) / max(height, width), power)


def upper_third(generated: Spectrum, real: Spectrum) -> Tensor:
    """log(power of generated / power of real) at the frequencies above two thirds of the highest, in nats."""
    upper = real.frequency > real.frequency[-1] * 2 / 3
    return ((generated.power + ROUNDING) / (real.power + ROUNDING)).log()[upper]


class SpectrumError(Metric):
    """How far generated pictures are from real ones in the upper third of frequencies (Durall et al. 2020, section 4).

    Upsampling by transposed convolutions leaves too much there, a blur too little. The figures, in nats:

    - `spectrum_error`: the mean |log ratio| of generated to real power: 0 where alike, 0.69 at twice or half,
    - `spectrum_excess`: the same with its sign: above 0 where there is too much, below where too little.

    NaN where a sample is not finite.

    Args:
        samples: how many are generated, and at most how many real ones they are set against.
        split: which real ones, train or held_out.
    """

    keys = ("spectrum_error", "spectrum_excess")
    neither = frozenset({"spectrum_excess"})
    streams = True

    def __init__(self, samples: int = 2000, split: Part = "train") -> None:
        within("[1, 10000000]", samples=samples)
        if split not in ("train", "held_out"):
            raise ValueError(f"split is train or held_out, got {split}")
        self.n, self.split = samples, split

    def check(self, source: Source) -> None:
        if len(source.shape) != 3 or min(source.shape[1:]) < 8:
            raise ValueError("metric spectrum needs pictures of 8 pixels or more on each side: leave it out")
        if self.split == "held_out" and source.held_out_part() is None:
            raise ValueError("metric spectrum with split=held_out needs a dataset with a held-out part")

    def prepare(self, real: RealData) -> None:
        real.open(self.split)

    def protocol(self, evaluation: Evaluation) -> Protocol:
        count = _count(evaluation.real, self.split, self.n)
        return self.protocol_of(evaluation, samples=self.n, real=count, split=self.split)

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        real = evaluation.real.once(_real_spectrum, self.split, self.n)
        finite = True

        def pixels() -> Iterable[Tensor]:
            nonlocal finite
            for part in evaluation.batches(self.n):
                finite = finite and bool(part.isfinite().all())
                yield to_pixels(part)

        off = upper_third(spectrum(pixels()), real)
        if not finite:
            return dict.fromkeys(self.keys, math.nan)
        return {"spectrum_error": off.abs().mean().item(), "spectrum_excess": off.mean().item()}


def _count(real: RealData, split: Part, n: int) -> int:
    size = real.open(split).size
    return n if size is None else min(n, size)


def _real_spectrum(real: RealData, split: Part, n: int) -> Spectrum:
    batches = real.batches(split, _count(real, split, n), AT_ONCE)
    return spectrum(to_pixels(batch["real"]) for batch in batches)
