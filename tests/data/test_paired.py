"""Pairs of pictures: where they lie, what belongs together, what is packed, and pairs made of single pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CPU
from PIL import Image
from torch import Tensor

from gantrain.data import Augment, DataContext, DigitsPairs, PairedFolder
from gantrain.data.degrade import Degrade
from gantrain.errors import UserError


def picture(seed: int, size: tuple[int, int] = (8, 8)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def write(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def pair(k: int) -> tuple[np.ndarray, np.ndarray]:
    return picture(k), picture(1000 + k)


def drawn(source: PairedFolder, cache: Path, n: int | None = None, **context: Any) -> dict[str, Tensor]:
    batches = source.open(DataContext(Path(), CPU, cache=cache, **context))
    assert batches.size is not None
    return batches.draw(0, n or batches.size)


def numbers_of(source: PairedFolder, cache: Path) -> list[int]:
    """Which of the pairs a source holds, each of them whole."""
    fields, found = source.fields(DataContext(Path(), CPU, cache=cache)), []
    for given, asked in zip(fields["input"], fields["real"], strict=True):
        (k,) = [k for k in range(20) if np.array_equal(pair(k)[0].transpose(2, 0, 1), given)]
        assert np.array_equal(pair(k)[1].transpose(2, 0, 1), asked)
        found.append(k)
    return found


LAYOUTS: dict[str, tuple[str, str | None]] = {
    "side by side": ("{part}/{k}.png", None),
    "folders in parts": ("{part}/A/{k}.png", "{part}/B/{k}.bmp"),
    "parts in folders": ("A/{part}/deep/{k}.png", "B/{part}/deep/{k}.png"),
    "one word": ("{part}A/{k}.png", "{part}B/{k}.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("held_out", ["val", "test"])
def test_every_layout_with_parts(layout: str, held_out: str, tmp_path: Path) -> None:
    first, second = LAYOUTS[layout]
    for k in range(8):
        a, b = pair(k)
        names = {"part": "train" if k < 5 else held_out, "k": k}
        write(tmp_path / first.format(**names), a if second else np.concatenate([a, b], 1))
        if second:
            write(tmp_path / second.format(**names), b)
    source = PairedFolder(str(tmp_path), 8)
    assert numbers_of(source, tmp_path / "cache") == [0, 1, 2, 3, 4]
    other = source.held_out_part()
    assert other is not None
    assert numbers_of(other, tmp_path / "cache") == [5, 6, 7]
    assert other.held_out_part() is None


@pytest.mark.parametrize("beside", [True, False])
def test_a_share_is_held_out_where_no_folder_says_which(beside: bool, tmp_path: Path) -> None:
    for k in range(10):
        a, b = pair(k)
        if beside:
            write(tmp_path / f"{k}.png", np.concatenate([a, b], 1))
        else:
            write(tmp_path / "photo" / f"{k}.png", a)
            write(tmp_path / "map" / f"{k}.jpg.png", b)
            (tmp_path / "map" / f"{k}.jpg.png").rename(tmp_path / "map" / f"{k}.png")
    source = PairedFolder(str(tmp_path), 8, folders=("photo", "map"), held_out=0.2)
    held_out = source.held_out_part()
    assert held_out is not None
    parts = [numbers_of(part, tmp_path / "cache") for part in (source, held_out)]
    assert parts == [[0, 1, 2, 3, 5, 6, 7, 8], [4, 9]]
    assert PairedFolder(str(tmp_path), 8, folders=("photo", "map"), held_out=0).held_out_part() is None


def test_a_share_of_the_training_folder_is_held_out_where_it_is_alone(tmp_path: Path) -> None:
    for k in range(8):
        write(tmp_path / "train" / f"{k}.png", np.concatenate(pair(k), 1))
    source = PairedFolder(str(tmp_path), 8, held_out=0.25)
    held_out = source.held_out_part()
    assert held_out is not None
    assert [numbers_of(part, tmp_path / "cache") for part in (source, held_out)] == [[0, 1, 2, 4, 5, 6], [3, 7]]
    (tmp_path / "train").rename(tmp_path / "val")
    with pytest.raises(UserError, match="but has no train: add it"):
        numbers_of(source, tmp_path / "cache")


def test_both_directions_share_a_pack(tmp_path: Path) -> None:
    for k in range(3):
        write(tmp_path / "train" / f"{k}.png", np.concatenate(pair(k), 1))
    forth = drawn(PairedFolder(str(tmp_path), 8, held_out=0), tmp_path / "cache")
    back = drawn(PairedFolder(str(tmp_path), 8, direction="b_to_a", held_out=0), tmp_path / "cache")
    assert torch.equal(forth["input"], back["real"])
    assert torch.equal(forth["real"], back["input"])
    assert len([*(tmp_path / "cache").glob("paired_folder-*")]) == 1


def test_both_pictures_of_a_pair_are_augmented_alike(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / "train" / f"{k}.png", np.concatenate([pair(k)[0]] * 2, 1))
    for augment in (Augment(flip=True), Augment(crop=3), Augment(rotate=30), Augment(True, 2, 10, 4)):
        torch.manual_seed(0)
        source = PairedFolder(str(tmp_path), 8, augment=augment, held_out=0)
        got = drawn(source, tmp_path / "cache")
        assert torch.equal(got["input"], got["real"])
        plain = source.open(DataContext(Path(), CPU, cache=tmp_path / "cache")).unaugmented().draw(0, 4)
        assert not torch.equal(got["real"], plain["real"])


def test_streams_as_it_lies_on_the_device(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / "train" / f"{k}.png", np.concatenate(pair(k), 1))
    for settings in ({}, {"degrade": "grey"}):
        source = PairedFolder(str(tmp_path), 8, held_out=0, **settings)  # type: ignore[arg-type]
        held, streamed = (drawn(source, tmp_path / "cache", 6, budget=budget) for budget in (None, 0))
        assert all(torch.equal(held[name], streamed[name]) for name in held)


@pytest.mark.parametrize(
    ("files", "settings", "sentence"),
    [
        ({"A/1.png": 8, "A/2.png": 8, "B/1.png": 8}, {}, r"1 of 2 pictures in .*A have no partner .* \(2\): give both"),
        ({"A/1.png": 8, "B/2.png": 8}, {}, r"\(1\), and 1 of 1 there none here"),
        ({"A/1.png": 8, "B/note.txt": 8}, {}, "B holds no pictures"),
        ({"A/1.png": 8}, {}, "there is .*A, but no .*B"),
        ({"A/1.png": 8, "A/1.bmp": 8, "B/1.png": 8}, {}, "have one name"),
        ({f"{k}.png": 8 for k in range(10)}, {}, "holds single pictures .0.png is 8 wide.*dataset.degrade="),
        ({f"{k}.png": 9 for k in range(4)}, {}, "too few to keep a share of 0.1"),
        ({}, {}, "holds no pictures"),
        ({"1.png": 8}, {"degrade": "noise"}, "too few to keep a share"),
    ],
)
def test_what_does_not_match_is_said_in_a_sentence(
    files: dict[str, int], settings: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    for name, side in files.items():
        if name.endswith("txt"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("no picture")
        else:
            write(tmp_path / name, picture(0, (8, side)))
    with pytest.raises(UserError, match=sentence) as raised:
        drawn(PairedFolder(str(tmp_path), 8, **settings), tmp_path / "cache")
    assert "\n" not in str(raised.value)
    assert not [*tmp_path.glob("cache/*")]


def test_pairs_that_do_not_lie_pixel_on_pixel_are_skipped_and_named(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path / "A" / f"{k}.png", pair(k)[0])
        write(tmp_path / "B" / f"{k}.png", pair(k)[1] if k else picture(9, (8, 12)))
    (tmp_path / "B" / "3.png").write_text("broken")
    said: list[str] = []
    assert len(drawn(PairedFolder(str(tmp_path), 8, held_out=0), tmp_path / "cache", say=said.append)["real"]) == 2
    assert any("skipped A/0.png: it is 8x8 and its partner 8x12" in line for line in said)
    assert any("skipped A/3.png" in line for line in said)


def test_worse_forms_of_single_pictures(tmp_path: Path) -> None:
    for k in range(20):
        write(tmp_path / f"{k}.png", picture(k, (16, 16)))
    for kind in ("grey", "noise", "downscale"):
        source = PairedFolder(str(tmp_path), 16, degrade=kind, factor=4)  # type: ignore[arg-type]
        got = drawn(source, tmp_path / "cache")
        assert len(got["real"]) == 18
        assert list(got["input"].shape[1:]) == list(source.input_shape)
        assert got["input"].shape[1] == (1 if kind == "grey" else 3)
        assert source.enlarges == (4 if kind == "downscale" else 1)
    assert len([*(tmp_path / "cache").glob("paired_folder-*")]) == 1, "all kinds share a pack"


def test_each_degradation_is_what_it_says() -> None:
    x = torch.rand(64, 3, 16, 16) * 2 - 1
    grey = Degrade("grey", [3, 16, 16])(x)
    torch.testing.assert_close(grey, (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True))
    middle = torch.zeros(64, 3, 16, 16)
    noisy = Degrade("noise", [3, 16, 16], sigma=25.5)(middle)
    assert noisy.std().item() == pytest.approx(0.2, rel=0.02)
    small = Degrade("downscale", [3, 16, 16], factor=4)(x)
    assert small.shape == x.shape
    assert small.std() < x.std() / 2
    flat = torch.full((1, 3, 16, 16), 0.5)
    torch.testing.assert_close(Degrade("downscale", [3, 16, 16], factor=4)(flat), flat)
    with pytest.raises(ValueError, match="pictures have none"):
        Degrade("grey", [1, 16, 16])
    with pytest.raises(ValueError, match="leaves nothing of pictures of side 4"):
        Degrade("downscale", [3, 4, 16], factor=8)


def test_digits_have_the_outlines_of_what_is_bright() -> None:
    fields = DigitsPairs(image_size=16).fields(DataContext(Path(), CPU))
    digit, outline = fields["real"][0, 0] >= 128, fields["input"][0, 0] == 255
    assert (fields["input"] == 255).sum() + (fields["input"] == 0).sum() == fields["input"].size
    assert (digit | ~outline).all(), "an outline lies on its digit"
    padded = np.pad(digit, 1)
    inside = np.min([padded[i : i + 16, j : j + 16] for i in range(3) for j in range(3)], 0)
    assert np.array_equal(outline, digit & ~inside)
    back = DigitsPairs(image_size=16, direction="b_to_a", held_out=100).held_out_part()
    assert back is not None
    other = back.fields(DataContext(Path(), CPU))
    assert np.array_equal(other["real"], fields["input"][-100:])
    assert np.array_equal(other["label"], fields["label"][-100:])


def test_jitter_enlarges_and_cuts_the_former_size_out() -> None:
    x = torch.linspace(-1, 1, 16).expand(500, 1, 16, 16)
    got = Augment(jitter=4)(x)
    assert got.shape == x.shape
    assert got.abs().max() <= 1
    starts = {round(value, 4) for value in got[:, 0, 0, 0].tolist()}
    assert len(starts) == 5, "five places each way"
    slope = (got[:, 0, 8, 10] - got[:, 0, 8, 6]) / (x[0, 0, 8, 10] - x[0, 0, 8, 6])
    assert slope.mean().item() == pytest.approx(16 / 20, rel=0.02)
