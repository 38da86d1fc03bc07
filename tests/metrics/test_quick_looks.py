"""Cheap looks at samples, against sets for which the answer is known."""

from __future__ import annotations

import math

import pytest
import torch

from gantrain.metrics.pairwise import nearest
from gantrain.metrics.quick_looks import (
    copied,
    energy_distance,
    high_frequency_share,
    label_excess,
    missing,
    missing_classes,
)

torch.manual_seed(0)
CLOUD = torch.randn(2000, 3)


def test_energy_distance_is_nought_between_alike_and_one_between_points() -> None:
    assert abs(energy_distance(CLOUD[:1000], CLOUD[1000:])) < 0.01
    apart = energy_distance(torch.zeros(5, 2), torch.full((5, 2), 7.0))
    assert apart == pytest.approx(1)
    shifts = [energy_distance(CLOUD[:1000] + shift, CLOUD[1000:]) for shift in (0.5, 1.0, 3.0)]
    assert shifts == sorted(shifts)


def test_energy_distance_of_normals_is_that_of_the_closed_form() -> None:
    """In one dimension, N(0, 1) against N(0, s²): E|x - y| = √(2 (1 + s²) / π)."""
    x, y = torch.randn(4000, 1), 3 * torch.randn(4000, 1)
    across, inside = math.sqrt(2 * 10 / math.pi), math.sqrt(2 * 2 / math.pi) * (1 + 3)
    assert energy_distance(x, y) == pytest.approx((2 * across - inside) / (2 * across), abs=0.02)


def test_missing_is_the_share_of_real_samples_that_nothing_is_near() -> None:
    centres = torch.tensor([[math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)] for k in range(8)])
    real, others = (centres.repeat(32, 1) + 0.01 * torch.randn(256, 2) for _ in range(2))
    assert missing(others, real, others) <= 0.06
    assert missing(real[(torch.arange(256) % 8) < 6], real, others) == pytest.approx(0.25)
    assert missing(real + 0.05 * torch.randn_like(real), real, others) < 0.05, "blurred is not missing"


def test_nearest_leaves_out_the_sample_itself_in_each_part() -> None:
    distances, places = nearest(CLOUD, CLOUD, own=0)
    whole = torch.cdist(CLOUD, CLOUD).fill_diagonal_(math.inf).min(1)
    assert torch.allclose(distances, whole.values.double(), atol=1e-3)
    assert (places == whole.indices).float().mean() > 0.999
    assert nearest(CLOUD, CLOUD)[0].max() < 0.01


def test_copies_are_counted_by_the_share_of_data_that_is_known() -> None:
    apart, _ = nearest(CLOUD, CLOUD, own=0)
    close, _ = nearest(CLOUD[:100] + 1e-4, CLOUD)
    assert copied(close, apart, 1.0) == 1
    half = torch.cat([close[:25], torch.full((75,), 9.0)])
    assert copied(half, apart, 0.5) == pytest.approx(0.5)
    fresh, _ = nearest(torch.randn(500, 3), CLOUD)
    assert copied(fresh, apart, 1.0) < 0.25


def test_labels_that_go_with_samples_exceed_chance_and_shuffled_ones_do_not() -> None:
    labels = (CLOUD[:, 0] > 0).long()
    _, places = nearest(CLOUD, CLOUD, own=0)
    assert label_excess(labels, float((labels[places] == labels).float().mean())) > 20
    shuffled = labels[torch.randperm(len(labels))]
    assert abs(label_excess(shuffled, float((shuffled[places] == shuffled).float().mean()))) < 4


def test_missing_classes_need_neighbours_that_can_be_trusted() -> None:
    labels = torch.arange(10).repeat(50)
    found = labels[:300][labels[:300] != 3]
    assert missing_classes(found, labels, 0.95) == 1
    assert missing_classes(labels[:300], labels, 0.95) == 0
    assert missing_classes(found, labels, 0.5) is None
    rare = torch.cat([torch.zeros(990, dtype=torch.int64), torch.ones(10, dtype=torch.int64)])
    assert missing_classes(torch.zeros(256, dtype=torch.int64), rare, 0.99) == 0, "too rare to be missed"


def spectrum_offset(x: torch.Tensor, real: torch.Tensor) -> float:
    return high_frequency_share([x]) - high_frequency_share([real])


def test_a_spectrum_is_off_by_what_lies_in_its_upper_third() -> None:
    smooth = torch.nn.functional.interpolate(torch.randn(32, 1, 4, 4), 16, mode="bilinear")
    assert spectrum_offset(3 * smooth, smooth) == pytest.approx(0, abs=1e-3), "contrast does not count"
    board = 0.3 * (1 - 2 * ((torch.arange(16)[:, None] + torch.arange(16)) % 2))
    assert spectrum_offset(smooth + board, smooth) > 8
    assert spectrum_offset(smooth + 0.6 * torch.randn(32, 1, 16, 16), smooth) > 8
    blurred = torch.nn.functional.avg_pool2d(smooth + 0.3 * torch.randn(32, 1, 16, 16), 3, 1, 1)
    assert spectrum_offset(blurred, smooth + 0.3 * torch.randn(32, 1, 16, 16)) < -4
