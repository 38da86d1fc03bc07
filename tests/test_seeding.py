"""What follows from a seed follows from it for ever."""

from __future__ import annotations

import torch
from conftest import CPU

from gantrain.seeding import Purpose, default_state, mix, restore_default, seed_default


def test_numbers_of_purposes_stay() -> None:
    """Another number would give a run that goes on, or a figure of the README, other samples."""
    names = "TURN DATA_ORDER FIXED_DATA EVALUATION PICTURES SAMPLES WEIGHTS BEGINNING REAL_DATA HEALTH"
    assert [purpose.name for purpose in Purpose] == [*names.split(), "STANDING", "DUALITY_GAP"]
    assert [int(purpose) for purpose in Purpose] == [*range(11), 30]
    assert Purpose.CLASSIFIER == 1


def test_a_purpose_is_mixed_in_as_its_number() -> None:
    assert mix(3, Purpose.WEIGHTS) == mix(3, 6)
    assert len({mix(3, purpose) for purpose in Purpose}) == 12


def test_the_default_generator_goes_on_from_where_it_stood() -> None:
    seed_default(7, CPU)
    torch.randn(3)
    state = default_state(CPU)
    wanted = torch.randn(5)
    torch.randn(11)
    restore_default(state, CPU)
    assert torch.equal(torch.randn(5), wanted)
