"""Pitch by autocorrelation: whether generated notes are in tune, and which of the pitches there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gantrain.data import Source
from gantrain.kinds import Kind
from gantrain.metrics.base import Metric
from gantrain.metrics.evaluation import Evaluation
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import POSITIVE, SAMPLES, within

CLEAR = 0.8
"""Autocorrelation from which on a sound has a pitch: then four fifths of its power repeat with it."""
FIRST = 0.9
"""The first peak that reaches so much of the highest is the period: later ones are multiples of it."""
ROOM = 2 ** (1 / 6)
"""How far below the lowest and above the highest of the pitches others are looked for."""
FAIR = 0.1
"""A pitch appears where it has this share of what it would have if all were equally frequent."""


def autocorrelation(x: Tensor) -> Tensor:
    """That of sound (n, L) at the lags 0 … L/2 - 1, (n, L/2), float64.

    Σ x(t)·x(t + lag), over the geometric mean of the two parts' energies: 1 where they are equal but for loudness.
    """
    x = x.double() - x.double().mean(1, keepdim=True)
    length = x.shape[1]
    half = length // 2
    power = torch.fft.rfft(x, 2 * length).abs().square()
    products = torch.fft.irfft(power, 2 * length)[:, :half]
    below = torch.cat([torch.zeros_like(x[:, :1]), x.square().cumsum(1)], 1)
    lags = torch.arange(half)
    first, last = below[:, length - lags], below[:, -1:] - below[:, lags]
    return products / (first * last).sqrt().clamp(min=1e-9)


def pitches_of(x: Tensor, rate: int, low: float, high: float) -> tuple[Tensor, Tensor]:
    """The pitch (n,) in Hz of sound (n, L) between two others, and how clear it is (n,): the autocorrelation there.

    NaN where there is no peak. The period is refined at its multiples, where the same error of a lag is a smaller one
    of the pitch.
    """
    found = autocorrelation(x)
    half = found.shape[1]
    shortest, longest = max(int(rate / high), 2), min(math.ceil(rate / low), half - 2)
    here = found[:, shortest : longest + 1]
    peak = (here >= found[:, shortest - 1 : longest]) & (here > found[:, shortest + 1 : longest + 2])
    heights = torch.where(peak, here, -torch.inf)
    highest = heights.amax(1, keepdim=True)
    lag = (peak & (here >= FIRST * highest)).to(torch.int8).argmax(1) + shortest
    clear = found.gather(1, lag[:, None])[:, 0]
    period = _peak_near(found, lag)
    multiple = 2
    while multiple * longest * 1.1 < half and multiple <= 16:
        near = _peak_near(found, _highest_near(found, period * multiple)) / multiple
        moved = (near - period).abs() < 0.5
        period = torch.where(moved & near.isfinite(), near, period)
        multiple *= 2
    has_peak = highest[:, 0] > 0
    return torch.where(has_peak, rate / period, torch.nan), torch.where(has_peak, clear, 0.0)


def _highest_near(found: Tensor, lag: Tensor) -> Tensor:
    """The lag (n,) int64 of the highest value within one of each lag."""
    around = lag.round().long()[:, None] + torch.arange(-1, 2)
    around = around.clamp(1, found.shape[1] - 2)
    return around.gather(1, found.gather(1, around).argmax(1, keepdim=True))[:, 0]


def _peak_near(found: Tensor, lag: Tensor) -> Tensor:
    """Where the parabola through the values at each lag and beside it has its top, (n,)."""
    left, middle, right = (found.gather(1, (lag + k)[:, None])[:, 0] for k in (-1, 0, 1))
    bend = left - 2 * middle + right
    return lag + torch.where(bend < 0, 0.5 * (left - right) / bend, 0.0).clamp(-0.5, 0.5)


class Pitch(Metric):
    """Whether samples are notes in tune, by the autocorrelation of each. The figures:

    - `pitch_share`: the share of samples that have a pitch, which is one of the set's,
    - `pitches`: how many of the set's pitches appear, each with a tenth of a fair share or more.

    Args:
        samples: how many are generated.
        frequencies: of the pitches in Hz; null for those of dataset=notes.
        tolerance: in cents, hundredths of a semitone.

    Raises:
        ValueError: a setting is out of range.
    """

    keys = ("pitch_share", "pitches")
    higher_is_better = frozenset(keys)
    streams = True

    def __init__(
        self, samples: int = 1000, frequencies: Sequence[float] | None = None, tolerance: float = 25.0
    ) -> None:
        within(SAMPLES, samples=samples)
        within(POSITIVE, frequencies=frequencies, tolerance=tolerance)
        self.n, self.frequencies, self.tolerance = samples, frequencies, tolerance

    def check(self, source: Source) -> None:
        if Kind.of(source.shape) is not Kind.SOUND or source.rate is None:
            raise ValueError("metric pitch is of sound, which this dataset does not hold: leave it out of metrics.use")
        wanted = self._wanted(source)
        if not wanted:
            raise ValueError("metric pitch needs to know the pitches: set metrics.known.pitch.frequencies=[220,440]")
        if max(wanted) * ROOM > source.rate / 4 or source.rate / min(wanted) * ROOM > source.shape[1] / 2 - 2:
            heard = f"{4 * source.rate / source.shape[1]:.0f} to {source.rate / 4 / ROOM:.0f} Hz"
            raise ValueError(
                f"metric pitch hears {heard} in such sound, but pitches are {min(wanted):.0f} to {max(wanted):.0f}: "
                "raise dataset.rate or dataset.length"
            )

    def protocol(self, evaluation: Evaluation) -> Protocol:
        pitches = [round(frequency, 1) for frequency in self._wanted(evaluation.real.source)]
        facts: dict[str, Any] = {"pitches": pitches, "tolerance": self.tolerance, "clear": CLEAR}
        return self.protocol_of(evaluation, samples=self.n, settings=facts)

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        source = evaluation.real.source
        found = torch.cat([self.named(part, source) for part in evaluation.batches(self.n)])
        return self.figures(found, len(self._wanted(source)))

    def named(self, x: Tensor, source: Source) -> Tensor:
        """Which of the pitches each sample (n, C, L) has, (n,) int64; -1 for none of them."""
        wanted = torch.tensor(self._wanted(source), dtype=torch.float64)
        assert source.rate is not None, "a metric checks that there is what it needs"
        mono = x.float().mean(1).nan_to_num()
        heard, clear = pitches_of(mono, source.rate, wanted.min().item() / ROOM, wanted.max().item() * ROOM)
        cents = 1200 * (heard[:, None] / wanted).log2().abs().nan_to_num(torch.inf)
        nearest, which = cents.min(1)
        return torch.where((nearest <= self.tolerance) & (clear >= CLEAR), which, -1)

    @staticmethod
    def figures(found: Tensor, count: int) -> dict[str, float]:
        """Of the pitches (n,) that samples have, of so many."""
        times = torch.bincount(found[found >= 0], minlength=count)
        enough = max(FAIR * len(found) / count, 1)
        return {
            "pitch_share": (found >= 0).double().mean().item(),
            "pitches": float((times >= enough).sum()),
        }

    def _wanted(self, source: Source) -> list[float]:
        own = getattr(source, "frequencies", ())
        return list(self.frequencies if self.frequencies is not None else own)
