"""What is drawn for a turn falls into the shares that are played of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gantrain import shares
from gantrain.data.batches import DeviceBatches, StreamedBatches
from gantrain.shares import Share, share_played

CPU = torch.device("cpu")
ALL = [Share(device, 2, part, 3) for device in range(2) for part in range(3)]
N = 12


def of_each(draw: Callable[[int], Tensor], axis: int = 0) -> Tensor:
    """What all shares draw, put together in the turn's order."""
    size = draw(N).shape[axis]
    found: list[Tensor | None] = [None] * size
    for share in ALL:
        torch.manual_seed(0)
        with share_played(share):
            mine = draw(N // share.count)
        for place, row in zip(range(share.number, size, share.count), mine.unbind(axis), strict=True):
            found[place] = row
    return torch.stack([row for row in found if row is not None], axis)


@pytest.mark.parametrize(
    ("draw", "axis"),
    [
        (lambda n: shares.rand(n, 2, device=CPU), 0),
        (lambda n: shares.rand(3, n, 1, device=CPU, axis=1), 1),
        (lambda n: shares.randn(2 * n, 5, device=CPU), 0),
        (lambda n: shares.randint(0, 9, 2, n, device=CPU, axis=1), 1),
        (lambda n: shares.randn_like(torch.zeros(n, 3, 4, 4).to(memory_format=torch.channels_last)), 0),
        (lambda n: shares.rand_like(torch.zeros(n, 7)), 0),
        (lambda n: shares.dropout(torch.ones(2 * n, 7), 0.4), 0),
    ],
)
def test_shares_draw_what_the_whole_turn_draws(draw: Callable[[int], Tensor], axis: int) -> None:
    torch.manual_seed(0)
    whole = draw(N)
    assert torch.equal(of_each(draw, axis), whole)


def test_samples_that_are_judged_as_one_stay_together() -> None:
    x = torch.arange(12)
    assert Share(1, 2, unit=3).take(x).tolist() == [3, 4, 5, 9, 10, 11]
    assert sorted(int(k) for device in range(2) for k in Share(device, 2, unit=3).take(x)) == list(range(12))


def test_how_many_of_the_first_are_played() -> None:
    for n in range(N + 1):
        counts = []
        for share in ALL:
            with share_played(share):
                counts.append((shares.part_of(n), len(shares.take(torch.arange(N)[:n]))))
        assert all(a == b for a, b in counts)
        assert sum(a for a, _ in counts) == n
    assert shares.part_of(5) == 5
    assert shares.whole(5) == 5


@pytest.mark.parametrize("kind", [DeviceBatches, StreamedBatches])
def test_data_falls_into_shares(kind: type[DeviceBatches]) -> None:
    """Each reads its own samples, over the end of an epoch too, and a thread reads ahead what the share plays next."""
    data = {"real": np.arange(20, dtype=np.float32)[:, None]}
    whole = kind(data, CPU, seed=3)
    for device in range(2):
        mine = kind(data, CPU, seed=3)
        threads = set()
        for position in (0, N, 2 * N):
            everything = whole.draw(position, N)["real"]
            for part in range(2):
                share = Share(device, 2, part, 2)
                with share_played(share):
                    assert torch.equal(mine.draw(position, N)["real"], everything[share.number :: 4])
                threads.add(getattr(mine, "_thread", None))
        assert len(threads) == 1
        mine.close()
    whole.close()
