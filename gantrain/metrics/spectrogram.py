"""How sound is spread over frequency and time: what sounds are compared in."""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.data import Source
from gantrain.kinds import Kind
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.features import Features, FeatureSpace

BANDS, TIMES = 64, 4
FLOOR = 1e-6
"""Of power, where 1 is that of a sound at full scale: silence is -6."""
WARP = 11.4
"""Bands are as wide as those of the mel scale at 16,000 samples a second: narrow below, wide above."""


def spectrograms(x: Tensor) -> Tensor:
    """Sound (n, C, L) in [-1, 1] to the logarithm (base 10) of power, (n, C, 64, 4): bands of frequency by times.

    Short-time Fourier transforms with Hann windows of about an eighth of the sound, at most 1,024 samples, that
    overlap by three quarters; power is averaged over each band, then over each quarter of the time.
    """
    size = 2 ** min(max(round(math.log2(x.shape[2] / 8)), 4), 10)
    size = min(size, x.shape[2])
    window = torch.hann_window(size, device=x.device)
    wave = x.float().flatten(0, 1)
    # whole windows alone: where a sound is cut off, half a window would show the cut and not the sound
    found = torch.stft(wave, size, size // 4, window=window, center=False, return_complex=True)
    power = (found.abs() / (window.sum() / 2)).square()
    bands = torch.einsum("nft,bf->nbt", power, _bands(power.shape[1]).to(x.device))
    pooled = F.adaptive_avg_pool1d(bands, TIMES)
    return (pooled + FLOOR).log10().unflatten(0, x.shape[:2])


@cache
def _bands(bins: int) -> Tensor:
    """The weight of each bin in each band, (64, bins): triangles that overlap by half, each of which sums to 1."""
    centres = ((1 + WARP) ** torch.linspace(0, 1, BANDS + 2).double() - 1) / WARP * (bins - 1)
    left, middle, right = (centres[k : k + BANDS, None] for k in range(3))
    places = torch.arange(bins).double()
    rising, falling = (places - left) / (middle - left), (right - places) / (right - middle)
    weights = torch.minimum(rising, falling).clamp(min=0)
    nearest = F.one_hot(centres[1:-1].round().long(), bins).double()
    weights = torch.where(weights.sum(1, keepdim=True) > 0, weights, nearest)  # narrower than a bin
    return (weights / weights.sum(1, keepdim=True)).float()


class Spectrogram(FeatureSpace):
    """Sound by its loudness in 64 bands of frequency at four times, in bels: which phase it has does not count."""

    name = "spectrogram"
    resize = f"power in {BANDS} bands by {TIMES} times, log10"

    def identity(self) -> str:
        return f"spectrogram {BANDS}x{TIMES}"

    def check(self, source: Source) -> None:
        if Kind.of(source.shape) is not Kind.SOUND:
            raise ValueError("the space spectrogram is of sound: measure pictures in pixels, and numbers in values")

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        return Features(spectrograms(x).flatten(1))
