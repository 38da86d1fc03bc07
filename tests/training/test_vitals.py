"""What observed turns tell of a run's health, against networks and batches for which it is known."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import round_of, same
from torch import nn

from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress
from gantrain.training.vitals import mean_distance
from gantrain.turns import Batch

RING = ["dataset=ring8", "trainer.batch_size=32", "model.generator.hidden=[16,16]", "model.discriminator.hidden=[16]"]
EVERY = (
    [*RING, "loss=nonsaturating"],
    ["experiment=gman_ring8", "trainer.batch_size=16"],
    ["experiment=madgan_ring8", "trainer.batch_size=16"],
    *([f"experiment={game}_digits", "trainer.batch_size=16"] for game in ("acgan", "bigan", "cgan", "infogan")),
    *([f"experiment={game}_digits", "trainer.batch_size=16"] for game in ("sgan", "triplegan")),
)


def observed(rounds: Rounds, steps: int = 1) -> dict[str, float]:
    progress = Progress()
    for _ in range(steps):
        rounds.meter.clear()
        rounds.play(progress, observe=True)
    return {tag: value for tag, value in rounds.meter.read().items() if tag.startswith("health/")}


@pytest.mark.parametrize("words", EVERY)
def test_every_game_is_observed(words: list[str]) -> None:
    rounds = round_of(*words)
    rounds.begin()
    found = observed(rounds)
    for player in rounds.learners:
        assert 0 < found[f"health/update/{player}"] < 1
        assert 0 < found[f"health/weights/{player}"] < 1
    assert found["health/diversity"] > 0
    assert 0 < found["health/real_spread"] < 1
    assert all(math.isfinite(value) for value in found.values())


def test_observing_changes_nothing() -> None:
    words = [*RING, "tricks=[ema,spectral_norm]", "loss=r1"]
    states = []
    for observe in (False, True):
        rounds, progress = round_of(*words), Progress()
        for _ in range(3):
            rounds.play(progress, observe=observe)
        assert not any(module._forward_hooks for module in rounds.game.get_submodule("generator").modules())
        states.append(rounds.game.state_dict())
    assert same(dict(states[0]), dict(states[1]))


def test_dead_units_are_counted_in_the_worst_layer() -> None:
    rounds = round_of(*RING)
    layers = [m for m in rounds.game.get_submodule("generator").modules() if isinstance(m, nn.Linear)]
    with torch.no_grad():
        layers[1].bias[:12] = -100.0
        layers[1].bias[12:] = 100.0
    assert observed(rounds)["health/dead_units/generator"] == pytest.approx(12 / 16)


def test_leaky_units_are_not_dead() -> None:
    rounds = round_of(*RING, "model.generator.activation=leaky_relu")
    for layer in rounds.game.get_submodule("generator").modules():
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.bias, -10.0)
    assert observed(rounds)["health/dead_units/generator"] == 0


def test_an_update_is_measured_in_norms_of_the_parameters() -> None:
    rounds = round_of(*RING, "optimizer=sgd", "optimizer.lr=0.1", "loss=nonsaturating", "tricks=[]")
    before = nn.utils.get_total_norm([p.detach().clone() for p in rounds.learners["generator"].parameters])
    found = observed(rounds)
    gradients = [p.grad for p in rounds.learners["generator"].parameters if p.grad is not None]
    expected = 0.1 * nn.utils.get_total_norm(gradients) / before
    assert found["health/update/generator"] == pytest.approx(float(expected), rel=1e-3)


def test_the_average_is_measured_against_the_live_network() -> None:
    rounds = round_of(*RING, "tricks=[ema]", "tricks.ema.half_life=1e12", "tricks.ema.ramp_up=null")
    start = [p.detach().clone() for p in rounds.learners["generator"].parameters]
    found = observed(rounds, steps=5)
    live = [p.detach() for p in rounds.learners["generator"].parameters]
    moved = nn.utils.get_total_norm(torch._foreach_sub(live, start)) / nn.utils.get_total_norm(live)
    assert found["health/average_distance/generator"] == pytest.approx(float(moved), rel=1e-3)


def test_what_a_batch_holds() -> None:
    rounds = round_of(*RING)
    draw = rounds.batches.draw
    rounds.batches.draw = lambda position, n: {  # type: ignore[method-assign]
        "real": torch.full_like(draw(position, n)["real"], 0.3), "label": torch.zeros(n, dtype=torch.int64)
    }  # fmt: skip
    found = observed(rounds)
    assert found["health/real_spread"] == pytest.approx(0, abs=1e-6)
    assert found["health/largest_class"] == 1


def test_the_mean_distance_of_a_square_is_known() -> None:
    square = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    assert mean_distance(square).item() == pytest.approx((4 + 2 * math.sqrt(2)) / 6)


@pytest.mark.parametrize("words", [["trainer.batch_size=1"], ["trainer.batch_size=8", "trainer.accumulate=8"]])
def test_batches_of_one_sample_tell_nothing_of_units_and_classes(words: list[str]) -> None:
    found = observed(round_of(*RING, *words, "tricks=[]"))
    assert not {tag for tag in found if "dead_units" in tag or tag in ("health/largest_class", "health/diversity")}


@pytest.mark.parametrize(("size", "told"), [(15, False), (16, True)])
def test_so_many_labels_tell_of_classes(size: int, told: bool) -> None:
    assert ("health/largest_class" in observed(round_of(*RING, f"trainer.batch_size={size}"))) is told


class Tokens(nn.Module):
    """Pays attention: its units are the last axis, and two in eight are never above zero."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.relu, self.attend = nn.Linear(1, 8), nn.ReLU(), nn.MultiheadAttention(8, 2, batch_first=True)
        nn.init.constant_(self.wide.weight, 1.0)
        self.wide.bias.data = torch.tensor([9.0] * 6 + [-99.0] * 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.relu(self.wide(x))
        found: torch.Tensor = self.attend(hidden, hidden, hidden)[0]
        return found


def test_networks_with_attention_are_observed_by_their_channels() -> None:
    rounds = round_of(*RING)
    rounds.game.add_module("generator", Tokens())
    with rounds.vitals.units("generator"):
        rounds.game.get_submodule("generator")(torch.randn(32, 5, 1))
    assert rounds.meter.read()["health/dead_units/generator"] == pytest.approx(2 / 8)


def test_samples_are_compared_from_all_over_a_batch() -> None:
    rounds = round_of(*RING)
    fakes = torch.arange(256.0).div(64).floor()[:, None].expand(-1, 2)  # of four generators, one after the other
    rounds.game.observed_fakes = fakes
    rounds.vitals.samples(Batch({"real": fakes.roll(32, 0)}, {}, torch.zeros(())))
    assert rounds.meter.read()["health/diversity"] == pytest.approx(1)


def test_the_spread_of_logits_is_nothing_where_the_discriminator_is_constant() -> None:
    rounds = round_of(*RING, "loss=nonsaturating", "optimizer.discriminator.lr=0.0")
    rounds.begin()
    assert observed(rounds)["health/logit_spread/discriminator"] > 0
    head = [module for module in rounds.game.get_submodule("discriminator").modules() if isinstance(module, nn.Linear)]
    nn.init.zeros_(head[-1].weight)
    assert observed(rounds)["health/logit_spread/discriminator"] == 0


def test_the_units_of_residual_discriminators_are_watched() -> None:
    small = ("model.generator.width=8", "model.discriminator.width=8", "trainer.batch_size=8")
    rounds = round_of("dataset=digits", "model=resnet", *small)
    rounds.begin()
    assert "health/dead_units/discriminator" in observed(rounds)
