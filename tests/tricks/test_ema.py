"""The averaged generator: how fast it follows, and what of its buffers is averaged, copied or its own."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from bare import GENERATOR, Bare
from conftest import round_of
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gantrain.training.rounds import Progress
from gantrain.tricks import EMA

SPECTRAL = ["dataset=digits", "model=dcgan", "model.generator.width=8", "model.discriminator.width=4", "loss=hinge"]
SPECTRAL += ["trainer.batch_size=16", "tricks=[ema,spectral_norm]", "tricks.spectral_norm.generator=true"]


class Still(nn.Module):
    """A player with one number, and buffers of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.zeros(()))
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("table", torch.zeros(3))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))


class Averaged(nn.Module):
    """As much of a game as EMA looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = Still()
        self.averages = nn.ModuleDict({"generator": copy.deepcopy(self.generator)})


def averaged(trick: EMA, images: int, samples: int) -> float:
    """What an average of 0 becomes when the weight is 1 and so many images were seen before."""
    network = nn.Linear(1, 1, bias=False)
    game = Bare(trick, generator=network)
    (average,) = game.averages["generator"].parameters()
    nn.init.zeros_(average)
    nn.init.ones_(network.weight)
    trick.images.fill_(images)
    trick.after_update(GENERATOR, game, samples)
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


def test_running_statistics_are_averaged_and_other_buffers_copied() -> None:
    game, ema = Averaged(), EMA(half_life=8, ramp_up=None)
    generator, average = game.generator, game.averages["generator"]
    for buffer in (generator.norm.running_mean, generator.norm.running_var, generator.table, generator.count):
        assert isinstance(buffer, Tensor)
        buffer.fill_(5)
    ema.after_update(GENERATOR, game, samples=8)  # type: ignore[arg-type]
    assert average.norm.running_mean.tolist() == [2.5, 2.5]
    assert average.norm.running_var.tolist() == [3.0, 3.0]
    assert average.table.tolist() == [5, 5, 5]
    assert average.count.item() == 5


@torch.no_grad()
def largest(layer: nn.Module) -> float:
    """The largest singular value of the weight that a spectrally normalised layer uses."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    if isinstance(layer, nn.ConvTranspose2d):
        weight = weight.transpose(0, 1)
    return torch.linalg.matrix_norm(weight.flatten(1), 2).item()


def test_an_averaged_layer_has_the_norm_that_spectral_norm_promises() -> None:
    """Its vectors are those of the averaged weight: averages of the live ones fit no weight, and are too short."""
    rounds, progress = round_of(*SPECTRAL, "optimizer.lr=0.01", "tricks.ema.half_life=500"), Progress()
    for _ in range(25):
        rounds.play(progress)
    average = rounds.game.averages["generator"]
    before = {name: x.clone() for name, x in average.state_dict().items()}
    average.eval()
    norms = [largest(m) for m in average.modules() if parametrize.is_parametrized(m, "weight")]
    assert len(norms) > 2
    assert norms == pytest.approx([1.0] * len(norms), abs=2e-3)
    assert all(torch.equal(x, before[name]) for name, x in average.state_dict().items())
    for name, x in before.items():
        if name.endswith(("_u", "_v")):
            assert x.norm().item() == pytest.approx(1, abs=1e-5), name
