"""What is counted of a data set, on data that was made to have it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gantrain.data.duplicates import copies, hashes, near_copies
from gantrain.data.survey import class_counts, shared, survey_numbers, survey_pictures


def pictures(n: int, channels: int = 3, side: int = 16, seed: int = 0) -> np.ndarray:
    """Random blots (N, C, side, side) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, channels, side // 4, side // 4))
    return coarse.repeat(4, 2).repeat(4, 3).astype(np.uint8)


def test_equal_pictures_are_found_and_no_others() -> None:
    real = pictures(50)
    real[7], real[30], real[31] = real[3], real[3], real[9]
    first = copies(hashes(real))
    assert {k: int(v) for k, v in enumerate(first) if v != k} == {7: 3, 30: 3, 31: 9}


@pytest.mark.parametrize("shape", [(3, 5, 5), (1, 8, 8), (2,)])
def test_one_bit_anywhere_makes_another_hash(shape: tuple[int, ...]) -> None:
    """Two bits at the same place of two words would cancel in a plain sum."""
    size = int(np.prod(shape))
    real = np.zeros((1 + size + size * (size - 1) // 2, size), np.uint8)
    row = 1
    for k in range(size):
        real[row, k] = 128
        row += 1
        for other in range(k):
            real[row, [k, other]] = 128
            row += 1
    assert len(np.unique(hashes(real.reshape(-1, *shape)))) == len(real)


def test_pictures_that_were_saved_anew_are_near_and_others_are_not() -> None:
    real = pictures(400)
    noise = np.random.default_rng(1).integers(-3, 4, real[5].shape)
    real[200] = (real[5].astype(int) + noise).clip(0, 255)
    real[300] = np.roll(real[6], 8, 2)
    nearest = near_copies(real)
    assert {k: int(v) for k, v in enumerate(nearest) if v != k} == {200: 5}


def test_flat_pictures_are_left_out() -> None:
    """Though they differ from what all pictures have in common, and so alike."""
    real = pictures(60)
    real[20], real[40] = 60, 61
    real[50], real[51] = (np.array([colour, 40, 200])[:, None, None] for colour in (99, 100))
    nearest = near_copies(real)
    assert [k for k, v in enumerate(nearest) if v != k] == []


def test_figures_of_pictures_by_hand() -> None:
    real = pictures(20)
    real[4], real[11] = 60, real[2]
    found = survey_pictures(real)
    values = real / 255
    assert found.mean == pytest.approx(values.mean((0, 2, 3)).tolist())
    assert found.std == pytest.approx(values.std((0, 2, 3)).tolist())
    assert found.contrast == pytest.approx(np.sqrt(values.var((2, 3)).mean(1)).mean(), rel=1e-4)
    assert (found.count, found.flat, found.copies, found.near, found.pair) == (20, [4], 1, 0, (2, 11))
    assert not found.grey


def test_colour_and_transparency_that_are_not_there_are_told() -> None:
    grey = pictures(5, 1).repeat(3, 1)
    assert survey_pictures(grey).grey
    assert not survey_pictures(pictures(5, 1)).grey
    with_alpha = np.concatenate([grey, np.full_like(grey[:, :1], 255)], 1)
    assert survey_pictures(with_alpha).opaque
    with_alpha[2, 3, 0, 0] = 254
    assert not survey_pictures(with_alpha).opaque


def test_figures_of_numbers_by_hand() -> None:
    values = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [2.0, 5.0]])
    found = survey_numbers(values)
    assert (found.mean, found.low, found.high) == ([2, 5], [1, 5], [3, 5])
    assert found.std == pytest.approx([0.5**0.5, 0])
    assert found.far == pytest.approx([2**0.5, 0])
    assert (found.constant, found.copies) == ([1], 1)


def test_empty_classes_count_and_shared_samples_are_found() -> None:
    assert class_counts(np.array([0, 2, 2]), 4) == [1, 0, 2, 0]
    real = pictures(30)
    assert shared(real, np.concatenate([real[:3], pictures(5, seed=9)])) == 3


def test_60000_pictures_take_seconds() -> None:
    """There is no Python for each picture: that alone would take longer."""
    real = pictures(60_000, 1, 28)
    began = time.process_time()
    survey_pictures(real)
    assert time.process_time() - began < 20
