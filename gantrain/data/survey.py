"""What a data set holds, counted: figures alone, of which others make words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from gantrain.data.batches import FULL_SCALE
from gantrain.data.duplicates import CHUNK, copies, hashes, near_copies


@dataclass(frozen=True)
class PictureSurvey:
    """Figures of pictures uint8 (N, C, H, W); values are said on [0, 1].

    Attributes:
        count: N.
        mean, std: of each channel, over all pixels.
        contrast: the standard deviation within a picture, on average.
        flat: the indices of pictures of one colour.
        copies: how many equal an earlier picture.
        near: how many look nearly as an earlier one, without being equal.
        pair: the indices of the first such pair, equal or near; None where there is none.
        grey: no picture has any colour, though there are channels for it.
        opaque: no picture lets anything through, though there is a channel for it.
    """

    count: int
    mean: list[float]
    std: list[float]
    contrast: float
    flat: list[int]
    copies: int
    near: int
    pair: tuple[int, int] | None
    grey: bool
    opaque: bool


def survey_pictures(real: np.ndarray) -> PictureSurvey:
    """Counts what pictures uint8 (N, C, H, W) hold, of which there is one at least."""
    channels, same = real.shape[1], copies(hashes(real))
    sums, squares, contrast = np.zeros(channels), np.zeros(channels), 0.0
    flat: list[int] = []
    grey, opaque = channels >= 3, channels == 4
    for start in range(0, len(real), CHUNK):
        chunk = torch.from_numpy(np.array(real[start : start + CHUNK]))
        pixels = chunk.flatten(2)
        values = pixels.float() / 255
        mean, square = values.mean(2).double(), values.square().mean(2).double()
        sums += mean.sum(0).numpy()
        squares += square.sum(0).numpy()
        contrast += (square - mean.square()).clamp(min=0).mean(1).sqrt().sum().item()
        constant = (pixels.amin(2) == pixels.amax(2)).all(1)
        flat += (constant.nonzero().flatten() + start).tolist()
        grey = grey and torch.equal(chunk[:, :1].expand(-1, 2, -1, -1), chunk[:, 1:3])
        opaque = opaque and bool((chunk[:, 3] == 255).all())
    index, near = np.arange(len(real)), near_copies(real)
    equal, alike = same != index, (near != index) & (same == index)
    found = np.flatnonzero(equal) if equal.any() else np.flatnonzero(alike)
    average, count = sums / len(real), len(real)
    return PictureSurvey(
        count=count,
        mean=average.tolist(),
        std=np.sqrt(np.maximum(squares / count - average**2, 0)).tolist(),
        contrast=contrast / count,
        flat=flat,
        copies=int(equal.sum()),
        near=int(alike.sum()),
        pair=(int((same if equal.any() else near)[found[0]]), int(found[0])) if len(found) else None,
        grey=grey,
        opaque=opaque,
    )


@dataclass(frozen=True)
class NumberSurvey:
    """Figures of numbers (N, D): of each column, and how many rows equal an earlier one.

    Attributes:
        far: how many standard deviations the value of each column that lies farthest is from its mean.
        constant: the columns in which all values are equal.
    """

    count: int
    mean: list[float]
    std: list[float]
    low: list[float]
    high: list[float]
    far: list[float]
    constant: list[int]
    copies: int


def survey_numbers(real: np.ndarray) -> NumberSurvey:
    """Counts what numbers (N, D) hold, of which there is one row at least."""
    values = np.asarray(real, np.float64)
    mean, std, low, high = values.mean(0), values.std(0), values.min(0), values.max(0)
    constant = low == high
    far = np.maximum(high - mean, mean - low) / np.where(constant, 1, std)
    same = copies(hashes(np.ascontiguousarray(real)))
    return NumberSurvey(
        count=len(values),
        mean=mean.tolist(),
        std=np.where(constant, 0, std).tolist(),
        low=low.tolist(),
        high=high.tolist(),
        far=np.where(constant, 0, far).tolist(),
        constant=np.flatnonzero(constant).tolist(),
        copies=int((same != np.arange(len(values))).sum()),
    )


@dataclass(frozen=True)
class SoundSurvey:
    """Figures of sounds int16 (N, channels, L); loudness is said in decibels of full scale.

    Attributes:
        count: N.
        loudness: of the quietest sound, of the first, second and third quarter, and of the loudest.
        clipped: the indices of sounds that reach the ends of the scale more than now and then.
        offset: the mean of all values, of full scale.
        copies: how many equal an earlier one.
        pair: the indices of the first such pair; None where there is none.
    """

    count: int
    loudness: list[float]
    clipped: list[int]
    offset: float
    copies: int
    pair: tuple[int, int] | None


CLIPPED = 0.001
"""Share of a sound's values at the ends of the scale from which on it was recorded too loud."""


def survey_sounds(real: np.ndarray) -> SoundSurvey:
    """Counts what sounds int16 (N, channels, L) hold, of which there is one at least."""
    same, index = copies(hashes(real)), np.arange(len(real))
    power, total, clipped = [], 0.0, []
    for start in range(0, len(real), CHUNK):
        chunk = np.asarray(real[start : start + CHUNK], np.float64) / FULL_SCALE
        power += np.square(chunk).mean((1, 2)).tolist()
        total += float(chunk.mean((1, 2)).sum())
        ends = (np.abs(chunk) >= 1 - 2 / FULL_SCALE).mean((1, 2)) > CLIPPED
        clipped += (np.flatnonzero(ends) + start).tolist()
    loud = 10 * np.log10(np.maximum(power, 1e-12))
    found = np.flatnonzero(same != index)
    return SoundSurvey(
        count=len(real),
        loudness=np.quantile(loud, [0, 0.25, 0.5, 0.75, 1]).tolist(),
        clipped=clipped,
        offset=total / len(real),
        copies=len(found),
        pair=(int(same[found[0]]), int(found[0])) if len(found) else None,
    )


def class_counts(label: np.ndarray, classes: int | None) -> list[int]:
    """How many samples each class has, those with none too."""
    return np.bincount(label, minlength=classes or 0).tolist()


def shared(real: np.ndarray, held_out: np.ndarray) -> int:
    """How many held-out samples are among those that are trained on too."""
    return int(np.isin(hashes(held_out), hashes(real)).sum())
