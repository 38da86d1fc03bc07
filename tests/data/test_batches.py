"""The order of the data follows from the seed and the position, wherever the data lies."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU

from gantrain.data import Augment, DataContext, Digits, Ring
from gantrain.data.batches import DeviceBatches, Order, StreamedBatches, to_pixels, to_real

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
    context = DataContext(tmp_path, CPU, cache=tmp_path, say=said.append)
    whole = Digits().open(context)
    ahead = Digits().open(DataContext(tmp_path, CPU, cache=tmp_path, budget=1000, say=said.append))
    assert (type(whole), type(ahead)) == (DeviceBatches, StreamedBatches)
    assert torch.equal(whole.draw(1790, 20)["real"], ahead.draw(1790, 20)["real"])
    assert any("over the budget" in line for line in said)
    ahead.close()


def test_labels_and_augmentation_travel_alike_from_device_and_disk() -> None:
    fields = {"real": (np.arange(40) * 6).astype(np.uint8).reshape(40, 1, 1, 1).repeat(4, 3), "label": np.arange(40)}
    fields["real"][..., 0] = 255  # a left side
    device, streamed = (kind(fields, CPU, 0, Augment(flip=True)) for kind in (DeviceBatches, StreamedBatches))
    for position in (0, 15, 30):
        drawn = []
        for batches in (device, streamed):
            torch.manual_seed(position)
            drawn.append(batches.draw(position, 15))
        assert torch.equal(drawn[0]["real"], drawn[1]["real"])
        assert torch.equal(((drawn[0]["real"][:, 0, 0, 1] + 1) * 127.5).round().long(), drawn[0]["label"] * 6)
        assert torch.equal(drawn[0]["label"], drawn[1]["label"])
    streamed.close()


def test_few_samples_are_the_same_few(tmp_path: Path) -> None:
    """As many as were asked for, whichever batch, from the device and from disk."""
    for budget in (None, 0):
        few = Digits(8, held_out=100).open(DataContext(tmp_path, CPU, cache=tmp_path, limit=5, budget=budget))
        assert few.size == 5
        assert len({x.numpy().tobytes() for x in few.draw(0, 40)["real"]}) == 5
        few.close()
    fixed = Ring().open(DataContext(tmp_path, CPU, limit=5))
    assert len(fixed.draw(0, 40)["real"].unique(dim=0)) == 5
    torch.manual_seed(7)  # whatever was drawn before
    assert torch.equal(Ring().open(DataContext(tmp_path, CPU, limit=5)).draw(0, 40)["real"], fixed.draw(0, 40)["real"])


def test_pixels_become_minus_one_to_one() -> None:
    assert to_real(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]
    assert to_real(torch.arange(256, dtype=torch.uint8)).diff().sub(2 / 255).abs().max() < 1e-6
    numbers = torch.tensor([0.0, 255.0])
    assert torch.equal(to_real(numbers), numbers)


def test_pixels_come_back_as_they_were() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_pixels(to_real(levels)), levels)
    beyond = torch.tensor([-7, 7, math.inf, -math.inf, math.nan, 0.45 / 127.5 - 1])
    assert to_pixels(beyond).tolist() == [0, 255, 255, 0, 0, 0]


@pytest.mark.parametrize("kind", [DeviceBatches, StreamedBatches])
def test_without_augmentation_the_order_is_the_same(kind: type[DeviceBatches | StreamedBatches]) -> None:
    """And those that are augmented are drawn on undisturbed."""
    fields = {"real": np.random.default_rng(0).integers(0, 256, (20, 1, 5, 5), np.uint8)}
    augmented, plain = kind(fields, CPU, 3, Augment(crop=2)), kind(fields, CPU, 3)
    augmented.facts = {"mean": torch.ones(1)}
    other = augmented.unaugmented()
    assert other.facts == augmented.facts
    assert other.size == 20
    for position in (0, 7, 14):
        assert torch.equal(other.draw(position, 7)["real"], plain.draw(position, 7)["real"])
        assert not torch.equal(augmented.draw(position, 7)["real"], plain.draw(position, 7)["real"])
    for batches in (augmented, plain, other):
        batches.close()


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


def test_each_image_is_turned_by_its_own_angle_in_degrees() -> None:
    """A ramp along x has, after a turn by a, the slopes cos a and ± sin a at the centre; a is even over ±10°."""
    torch.manual_seed(0)
    ramp = torch.linspace(-1, 1, 33).expand(1000, 1, 33, 33)
    turned = Augment(rotate=10)(ramp)[:, 0]
    across, down = turned[:, 16, 17] - turned[:, 16, 15], turned[:, 17, 16] - turned[:, 15, 16]
    angle = torch.rad2deg(torch.atan2(down, across))
    assert angle.abs().max() <= 10.001
    assert angle.std().item() == pytest.approx(20 / 12**0.5, rel=0.05)
    assert angle.mean().abs() < 0.6
    assert turned[:, 16, 16].abs().max() < 1e-5, "the centre stays"
    torch.testing.assert_close(torch.hypot(across, down), torch.full((1000,), 4 / 32), msg="nothing grows or shrinks")
    white = torch.ones(4, 1, 9, 9)
    torch.testing.assert_close(Augment(rotate=45)(white), white, msg="the border is repeated")


def test_a_turn_keeps_shapes_in_pictures_that_are_not_square() -> None:
    """A disc about the middle looks the same whichever way it is turned."""
    torch.manual_seed(0)
    rows, columns = torch.arange(16.0) - 7.5, torch.arange(32.0) - 15.5
    disc = (6 - (rows[:, None] ** 2 + columns**2).sqrt()).clamp(0, 1).expand(8, 1, 16, 32)
    torch.testing.assert_close(Augment(rotate=180)(disc), disc, rtol=0, atol=0.25)


def test_each_image_is_shifted_by_itself() -> None:
    """A point takes each of the 25 places up to two pixels away, about equally often."""
    torch.manual_seed(0)
    x = torch.zeros(1000, 1, 9, 9)
    x[:, :, 4, 4] = 1
    shifted = Augment(crop=2)(x)
    assert torch.equal(shifted.sum((1, 2, 3)), torch.ones(1000))
    rows, columns = shifted.flatten(1).argmax(1) // 9 - 4, shifted.flatten(1).argmax(1) % 9 - 4
    places = ((rows + 2) * 5 + columns + 2).bincount()
    assert len(places) == 25
    assert places.min() > 15


def test_the_border_of_a_shifted_image_is_reflected() -> None:
    torch.manual_seed(0)
    x = torch.arange(5.0).expand(50, 1, 5, 5)
    seen = {tuple(row.tolist()) for row in Augment(crop=1)(x)[:, 0, 2]}
    assert seen == {(1, 0, 1, 2, 3), (0, 1, 2, 3, 4), (1, 2, 3, 4, 3)}


def test_channels_are_augmented_together() -> None:
    torch.manual_seed(0)
    x = torch.rand(50, 1, 8, 8).expand(50, 3, 8, 8)
    y = Augment(flip=True, crop=2, rotate=20)(x)
    assert torch.equal(y[:, 0], y[:, 1])
    assert torch.equal(y[:, 0], y[:, 2])


def test_pictures_that_belong_together_are_augmented_in_the_same_way() -> None:
    """A pair stays a pair, whatever its channels, and whatever is no picture stays what it is."""
    grey = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
    fields = {"real": grey.repeat(3, 1), "other": grey, "label": np.arange(6)}
    drawn = DeviceBatches(fields, CPU, 0, Augment(flip=True, crop=2)).draw(0, 6)
    assert torch.equal(drawn["real"], drawn["other"].expand(-1, 3, -1, -1))
    plain = DeviceBatches(fields, CPU, 0).draw(0, 6)
    assert not torch.equal(drawn["other"], plain["other"])
    assert torch.equal(plain["other"], to_real(torch.from_numpy(grey))[plain["label"]])
    assert torch.equal(drawn["label"], plain["label"])


def test_what_is_a_picture_follows_from_its_shape() -> None:
    """Pictures that are floats already are augmented too, and small whole numbers are no pixels."""
    pictures = np.random.default_rng(0).normal(size=(6, 3, 8, 8)).astype(np.float32)
    fields = {"real": pictures, "label": np.arange(6, dtype=np.uint8)}
    drawn, plain = (DeviceBatches(fields, CPU, 0, augment).draw(0, 6) for augment in (Augment(crop=3), None))
    assert drawn["label"].dtype == torch.uint8
    assert torch.equal(plain["real"], torch.from_numpy(pictures)[plain["label"].long()])
    assert not torch.equal(drawn["real"], plain["real"])
