"""Games whose generators start from pictures: what a discriminator's turn makes, what is drawn, shown and refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from gantrain.commands.evaluation import evaluation_of
from gantrain.commands.sampling import generate_samples, side_by_side, with_inputs
from gantrain.games import Adversarial, Request
from gantrain.losses import NonSaturating, Objective
from gantrain.networks import Discriminator
from gantrain.seeding import Purpose
from gantrain.training.machine import Machine
from gantrain.tricks import EMA, DiffAugment, ModeSeeking, Trick
from gantrain.turns import Batch, Samples

A, B = "discriminator_a", "discriminator_b"


class Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Conv2d(1, 1, 3, padding=1), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.layer(x)


class Judge(Discriminator):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.head = nn.Sequential(nn.Flatten()), nn.Linear(16, 1)


class TwoWays(Adversarial):
    """Pictures of each of two kinds out of those of the other."""

    discriminators = (A, B)
    inputs = ("b",)

    def __init__(self, **tricks: Trick) -> None:
        super().__init__(Objective(NonSaturating()))
        self.generator = nn.ModuleDict({A: Counted(), B: Counted()})
        self.discriminator_a, self.discriminator_b = Judge(), Judge()
        self.install(tricks)

    def generate(self, batch: Batch, averaged: bool = False) -> dict[str, Samples]:
        return self.fakes_for((A, B), batch, averaged)

    def fakes_for(self, discriminators: Collection[str], batch: Batch, averaged: bool = False) -> dict[str, Samples]:
        ways, start = self.network("generator", averaged), {A: "b", B: "real"}
        return {name: Samples(ways.get_submodule(name)(batch.data[start[name]])) for name in discriminators}

    def real(self, batch: Batch) -> dict[str, Samples]:
        return {A: Samples(batch.data["real"]), B: Samples(batch.data["b"])}


def batch_of_both() -> Batch:
    return Batch({"real": torch.randn(6, 1, 4, 4), "b": torch.randn(6, 1, 4, 4)}, {}, torch.zeros(()))


def test_a_discriminators_turn_makes_only_the_fakes_that_it_judges() -> None:
    game = TwoWays()
    game.terms(B, batch_of_both())
    assert [game.generator[name].calls for name in (A, B)] == [0, 1]
    game.terms("generator", batch_of_both())
    assert [game.generator[name].calls for name in (A, B)] == [1, 2]


def test_a_generator_that_starts_from_data_draws_it_in_its_turn() -> None:
    game = TwoWays()
    assert {turn.player: turn.real for turn in game.turns} == {A: True, B: True, "generator": True}
    assert not game.generator_needs_real, "its loss still looks at fakes alone"


def test_samples_are_made_part_by_part_of_what_was_given_by_the_average_where_there_is_one() -> None:
    game = TwoWays(ema=EMA())
    nn.init.zeros_(game.averages["generator"][A].layer.weight)
    nn.init.constant_(game.averages["generator"][A].layer.bias, 7.0)
    request = with_inputs(game, Request(5), batch_of_both().data)
    made = generate_samples(game, Machine(torch.device("cpu")), request, 0, Purpose.SAMPLES, at_once=2)["samples"].x
    assert made.shape == (5, 1, 4, 4)
    assert (made == 7).all()
    game.averages.clear()
    parts = generate_samples(game, Machine(torch.device("cpu")), request, 0, Purpose.SAMPLES, at_once=2)["samples"].x
    torch.testing.assert_close(parts, game.generator[A](request.inputs["b"]).detach())


def test_what_was_given_is_kept_and_the_rest_comes_from_data() -> None:
    data, mine = batch_of_both().data, torch.zeros(3, 1, 4, 4)
    assert with_inputs(TwoWays(), Request(3, inputs={"b": mine}), data).inputs["b"] is mine
    assert torch.equal(with_inputs(TwoWays(), Request(3), data).inputs["b"], data["b"][:3])


def test_pictures_show_each_input_beside_what_is_made_of_it() -> None:
    given, made, second = (torch.randn(3, 1, 4, 4) for _ in range(3))
    one = {"samples": Samples(made)}
    shown, columns = side_by_side(one, Request(3, inputs={"b": given}))
    assert columns == 8
    assert torch.equal(shown[0::2], given)
    assert torch.equal(shown[1::2], made)
    assert side_by_side(one, Request(3))[0] is made
    assert side_by_side(one, Request(3, inputs={"b": torch.zeros(3, 1, 8, 8)}))[0] is made
    colour, columns = side_by_side(one, Request(3, inputs={"b": given.expand(3, 3, 4, 4)}))
    assert torch.equal(colour[1::2], made.expand(3, 3, 4, 4)), "grey stands beside colour"
    shown, columns = side_by_side({**one, "other": Samples(second)}, Request(3, inputs={"b": given}, columns=5))
    assert columns == 3, "what belongs together stands in one row"
    assert all(torch.equal(shown[k::3], x) for k, x in enumerate((given, made, second)))


def test_mode_seeking_needs_noise() -> None:
    with pytest.raises(ValueError, match="no generator takes any here"):
        TwoWays(mode_seeking=ModeSeeking())


def test_pictures_that_are_judged_together_are_augmented_alike() -> None:
    game, x = TwoWays(diffaugment=DiffAugment(["translation", "cutout"])), torch.randn(6, 1, 4, 4)
    conditions = {"b": x.repeat(1, 3, 1, 1), "label": torch.arange(6), "code": torch.randn(6, 2)}
    shown = game.discriminator_inputs(Samples(x, conditions), batch_of_both())
    assert not torch.equal(shown.x, x)
    assert torch.equal(shown.conditions["b"], shown.x.repeat(1, 3, 1, 1))
    assert all(shown.conditions[name] is conditions[name] for name in ("label", "code"))


def test_evaluations_are_of_what_is_made_of_data() -> None:
    """As many as are asked for, each made of a sample of the real data, held-out ones where there are such."""
    game, asked = TwoWays(), []
    data = {"real": torch.randn(5, 1, 4, 4), "b": torch.randn(5, 1, 4, 4)}

    def batches(part: str, n: int) -> Iterator[dict[str, Tensor]]:
        asked.append(part)
        for here in (slice(0, 3), slice(3, n)):
            yield {name: values[here] for name, values in data.items()}

    for part in ("train", "held_out"):
        real = SimpleNamespace(unseen=part, batches=batches)
        evaluation = evaluation_of(game, real, Machine(torch.device("cpu")), 0, 3, step=7)  # type: ignore[arg-type]
        torch.testing.assert_close(evaluation.samples(5), game.generator[A](data["b"]).detach())
        assert asked.pop() == part
