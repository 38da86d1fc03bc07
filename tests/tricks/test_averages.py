"""The averaged generator's half-life."""

from __future__ import annotations

import math

import pytest
from bare import Bare
from torch import nn

from gantrain.tricks import EMA


def averaged(trick: EMA, images: int, samples: int) -> float:
    """What an average of 0 becomes when the weight is 1 and so many images were seen before."""
    network = nn.Linear(1, 1, bias=False)
    game = Bare(trick, generator=network)
    (average,) = game.averages["generator"].parameters()
    nn.init.zeros_(average)
    nn.init.ones_(network.weight)
    trick.images.fill_(images)
    trick.after_update("generator", game, samples)
    assert trick.images.item() == images + samples
    return average.item()


@pytest.mark.parametrize(
    ("ramp_up", "images", "half_life"),
    [(0.5, 0, 4.0), (0.5, 24, 16.0), (0.5, 4000, 100.0), (None, 0, 100.0), (None, 4000, 100.0)],
)
def test_the_half_life_grows_with_the_images_seen_until_it_is_whole(
    ramp_up: float | None, images: int, half_life: float
) -> None:
    """After n images a share 2^(-n / half-life) of the old average is left."""
    kept = 1 - averaged(EMA(half_life=100, ramp_up=ramp_up), images, samples=8)
    assert kept == pytest.approx(math.exp2(-8 / half_life), rel=1e-5)
