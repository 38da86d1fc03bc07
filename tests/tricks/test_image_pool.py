"""A pool with which each fake by itself is exchanged (Zhu et al. 2017)."""

from __future__ import annotations

import pytest
import torch
from bare import DISCRIMINATOR

from gantrain.tricks import ExperienceReplay
from gantrain.turns import Samples

SIZE = 10


def numbered(first: int, n: int) -> Samples:
    numbers = torch.arange(first, first + n, dtype=torch.float32)
    return Samples(numbers[:, None].expand(-1, 2).clone(), {"number": numbers.long()})


def pool_of(share: float) -> ExperienceReplay:
    trick = ExperienceReplay(SIZE, share, each=True)
    trick.register_buffer("filled_discriminator", torch.zeros((), dtype=torch.int64))
    trick.register_buffer("x_discriminator", torch.zeros(SIZE, 2))
    trick.register_buffer("number_discriminator", torch.zeros(SIZE, dtype=torch.int64))
    return trick


def test_until_the_pool_is_full_fakes_go_into_it_and_are_shown() -> None:
    torch.manual_seed(0)
    trick = pool_of(0.5)
    for first in (0, 4, 8):
        shown = trick.fakes(DISCRIMINATOR, numbered(first, 4))
        assert shown.conditions["number"].tolist() == list(range(first, first + 4))
    assert trick.number_discriminator.tolist() == list(range(10)), "the last two found no room"


@pytest.mark.parametrize("n", [1, 4])
def test_then_each_is_exchanged_with_that_chance_for_the_one_whose_place_it_takes(n: int) -> None:
    torch.manual_seed(0)
    trick = pool_of(0.5)
    trick.fakes(DISCRIMINATOR, numbered(0, SIZE))
    old, turns = 0, 400
    for turn in range(turns):
        before = set(trick.number_discriminator.tolist())
        new = set(range(100 + turn * n, 100 + (turn + 1) * n))
        shown = trick.fakes(DISCRIMINATOR, numbered(100 + turn * n, n))
        assert torch.equal(shown.x[:, 0].long(), shown.conditions["number"]), "what is known of a fake goes with it"
        seen, after = set(shown.conditions["number"].tolist()), set(trick.number_discriminator.tolist())
        assert seen | after == before | new, "nothing is lost"
        assert not seen & after, "what is shown has left the pool, and what is not has gone into it"
        assert len(after) == SIZE
        old += len(seen & before)
    assert old / (turns * n) == pytest.approx(0.5, abs=0.08)
