"""The order of the data follows from the seed and the position, wherever the data lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU

from gantrain.data import Augment, Digits, Place
from gantrain.data.batches import DeviceBatches, Order, StreamedBatches, to_real

FIELDS = {"real": np.arange(10, dtype=np.float32)[:, None], "label": np.arange(10)}


def test_each_epoch_holds_every_sample_once() -> None:
    order = Order(10, seed=3)
    seen = torch.cat([order.indices(k, 4) for k in range(0, 40, 4)]).view(4, 10)
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in seen)
    assert len({tuple(epoch.tolist()) for epoch in seen}) == 4


def test_order_is_a_function_of_seed_and_position() -> None:
    straight = torch.cat([Order(10, 3).indices(k, 4) for k in range(0, 40, 4)])
    one = Order(10, 3)
    assert torch.equal(one.indices(12, 25), straight[12:37])
    assert torch.equal(one.indices(0, 4), straight[:4])
    assert not torch.equal(Order(10, 4).indices(0, 10), straight[:10])


def test_streamed_equals_device() -> None:
    device, streamed = DeviceBatches(FIELDS, CPU, 0), StreamedBatches(FIELDS, CPU, 0)
    for position in (0, 3, 6, 9, 24, 27, 5):  # jumps as after a resume
        a, b = device.draw(position, 3), streamed.draw(position, 3)
        assert torch.equal(a["real"], b["real"])
        assert torch.equal(a["label"], b["label"])
    assert streamed.waited > 0
    streamed.close()


def test_an_error_while_reading_ahead_is_raised() -> None:
    streamed = StreamedBatches({"real": FIELDS["real"], "label": FIELDS["label"][:2]}, CPU, 0)
    with pytest.raises(IndexError):
        [streamed.draw(3 * k, 3) for k in range(10)]
    streamed.close()


def test_budget_decides_and_changes_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    place = Place(tmp_path, CPU, cache=tmp_path, say=said.append)
    whole = Digits().open(place)
    ahead = Digits().open(Place(tmp_path, CPU, cache=tmp_path, budget=1000, say=said.append))
    assert (type(whole), type(ahead)) == (DeviceBatches, StreamedBatches)
    assert torch.equal(whole.draw(1790, 20)["real"], ahead.draw(1790, 20)["real"])
    assert any("over the budget" in line for line in said)
    ahead.close()


def test_pixels_become_minus_one_to_one() -> None:
    assert to_real(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_augmentation() -> None:
    torch.manual_seed(0)
    x = torch.rand(200, 1, 8, 8) * 2 - 1
    flipped = Augment(flip=True)(x)
    same = (flipped == x).flatten(1).all(1)
    assert torch.equal(flipped[~same], x[~same].flip(-1))
    assert 60 < same.sum() < 140
    shifted = Augment(crop=1)(x)
    assert torch.equal(shifted.unique(), x.unique()) or set(shifted.unique().tolist()) <= set(x.unique().tolist())
    centre = x[:, :, 1:-1, 1:-1]
    assert any(
        torch.equal(shifted[0, :, 1 + a : 7 + a, 1 + b : 7 + b], centre[0]) for a in (-1, 0, 1) for b in (-1, 0, 1)
    )
    turned = Augment(rotate=10)(x)
    assert turned.shape == x.shape
    assert not torch.equal(turned, x)
    assert torch.equal(Augment()(x), x)
