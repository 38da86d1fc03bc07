"""Samples in parts: what is drawn elsewhere meanwhile changes none."""

from __future__ import annotations

import pytest
import torch
from conftest import CPU, config, same

from gantrain.commands.assembly import build_game
from gantrain.commands.sampling import generate_batches, generate_samples
from gantrain.games import Request
from gantrain.seeding import Purpose
from gantrain.training.machine import Machine
from gantrain.turns import Samples


def test_parts_are_the_same_whatever_is_drawn_between_them() -> None:
    game, machine = build_game(config("dataset=ring8", "model=madgan")), Machine(CPU)
    whole = generate_samples(game, machine, Request(230), 5, Purpose.SAMPLES, at_once=100)
    one = generate_batches(game, machine, Request(230), 5, Purpose.SAMPLES, at_once=100)
    other = generate_batches(game, machine, Request(230), 6, Purpose.SAMPLES, at_once=100)
    parts = []
    for part, _ in zip(one, other, strict=True):
        parts.append(part)
        torch.randn(7)
    assert [len(part["samples"]) for part in parts] == [100, 100, 30]
    joined = Samples.join([part["samples"] for part in parts])
    assert torch.equal(joined.x, whole["samples"].x)
    assert same(joined.conditions, whole["samples"].conditions)


@pytest.mark.parametrize("words", [["dataset=ring8"], ["dataset=digits", "model=bigan"]])
def test_each_part_is_made_of_its_own_latents_and_inputs(words: list[str]) -> None:
    game, machine = build_game(config(*words)), Machine(CPU)
    inputs = {"real": torch.rand(10, 1, 16, 16)} if game.reconstructs else {}
    request = Request(10, {} if game.reconstructs else game.latents(10), inputs)
    whole, parts = (generate_samples(game, machine, request, 5, Purpose.SAMPLES, at_once) for at_once in (10, 4))
    one, other = whole["samples"], parts["samples"]
    torch.testing.assert_close(other.x, one.x)
    torch.testing.assert_close(other.conditions, one.conditions)


def test_seed_and_purpose_tell_samples_apart() -> None:
    game, machine = build_game(config("dataset=ring8")), Machine(CPU)
    chosen = [(5, Purpose.SAMPLES), (5, Purpose.EVALUATION), (6, Purpose.SAMPLES)]
    found = [generate_samples(game, machine, Request(4), seed, purpose)["samples"].x for seed, purpose in chosen]
    assert len({x.numpy().tobytes() for x in found}) == 3
