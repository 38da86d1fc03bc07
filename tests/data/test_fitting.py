"""What becomes of a picture's shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import CPU
from PIL import Image

from gantrain.data import CelebA, DataContext, Digits, ImageFolder
from gantrain.data.fitting import Fit, Fitting, sides


def striped(height: int, width: int) -> Image.Image:
    """Red tells the column, green the row, each from 0 to 255."""
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([columns * 255 / (width - 1), rows * 255 / (height - 1), 0 * rows], 2)
    return Image.fromarray(pixels.round().astype(np.uint8))


@pytest.mark.parametrize(("given", "wanted"), [(64, (64, 64)), ([64, 96], (64, 96)), ([96, 64], (96, 64))])
def test_a_size_is_one_number_or_height_and_width(given: int | list[int], wanted: tuple[int, int]) -> None:
    assert sides(given) == wanted


@pytest.mark.parametrize("given", [0, [0, 8], [8, 5000], [8], [8, 8, 8], []])
def test_no_other_size_is_one(given: int | list[int]) -> None:
    with pytest.raises(ValueError, match="image_size"):
        sides(given)


@pytest.mark.parametrize(
    ("size", "picture", "part"),
    [
        ((8, 8), (20, 40), (20, 20)),
        ((8, 8), (41, 20), (20, 20)),
        ((8, 12), (20, 40), (20, 30)),
        ((8, 12), (40, 30), (20, 30)),
        ((12, 8), (40, 30), (40, 40 * 8 / 12)),
    ],
)
def test_a_crop_is_the_largest_part_of_the_shape(
    size: tuple[int, int], picture: tuple[int, int], part: tuple[float, float]
) -> None:
    assert Fitting(size).part(*picture) == pytest.approx(part)


def test_a_crop_takes_no_more_of_the_width_than_its_share() -> None:
    """The faces of CelebA: 148 of 178 pixels, or less where the height does not suffice for that."""
    share = CelebA.crop
    assert Fitting((64, 64), share=share).part(218, 178) == (148, 148)
    assert Fitting((96, 64), share=share).part(218, 178) == pytest.approx((218, 218 * 64 / 96))
    assert Fitting((64, 64), "stretch", share).part(218, 178) == (218, 178)


def test_a_crop_keeps_the_middle_and_what_is_round() -> None:
    found = np.asarray(Fitting((10, 20))(striped(100, 400)))
    assert found.shape == (10, 20, 3)
    assert found[:, 0, 0].mean() == pytest.approx(255 * 105 / 400, abs=3), "a hundred columns are off to the left"
    assert found[0, :, 1].mean() == pytest.approx(255 * 5 / 100, abs=4)


@pytest.mark.parametrize(
    ("picture", "inside"), [((50, 200), (slice(3, 7), slice(0, 16))), ((200, 50), (slice(0, 10), slice(7, 9)))]
)
def test_a_pad_shows_all_of_it_between_black_borders(picture: tuple[int, int], inside: tuple[slice, slice]) -> None:
    found = np.asarray(Fitting((10, 16), "pad")(Image.new("RGB", picture[::-1], "white")))
    wanted = np.zeros((10, 16), np.uint8)
    wanted[inside] = 255
    assert (found[..., 0] == wanted).mean() > 0.98


def test_a_pad_is_transparent_where_there_is_alpha() -> None:
    found = np.asarray(Fitting((8, 8), "pad")(Image.new("RGBA", (20, 10), "red")))
    assert (found[:2] == 0).all()
    assert (found[3:5, :, 3] == 255).all()


def test_a_stretch_shows_all_of_it() -> None:
    found = np.asarray(Fitting((8, 8), "stretch")(striped(40, 400)))
    assert found[:, 0, 0].max() < 30
    assert found[:, -1, 0].min() > 225
    assert found[0, :, 1].max() < 30


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("picture", [(1, 1), (1, 90), (90, 1), (64, 96)])
def test_any_picture_becomes_one_of_the_size(fit: Fit, picture: tuple[int, int]) -> None:
    assert Fitting((16, 24), fit)(Image.new("RGB", picture[::-1])).size == (24, 16)


def test_effects_by_hand() -> None:
    sizes = {(100, 100): 3, (100, 200): 1}
    crop = Fitting((50, 50)).effects(sizes)
    assert (crop.lost, crop.border, crop.stretched, crop.scale, crop.upscaled) == (0.5 / 4, 0, 1, (0.5, 0.5), 0)
    pad = Fitting((200, 200), "pad").effects(sizes)
    assert (pad.lost, pad.border, pad.scale, pad.upscaled) == (0, 0.5 / 4, (1, 2), 3)
    assert Fitting((50, 50), "stretch").effects(sizes).stretched == pytest.approx(5 / 4)


def test_sources_of_pictures_that_are_not_square(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for k in range(3):
        striped(30, 60 + k).save(tmp_path / "pictures" / f"{k}.png")
    context = DataContext(tmp_path, CPU, cache=tmp_path / "cache")
    packs = set()
    for fit in ("crop", "pad", "stretch"):
        batches = ImageFolder(str(tmp_path / "pictures"), [8, 12], fit=fit).open(context)  # type: ignore[arg-type]
        real = batches.draw(0, 3)["real"]
        assert real.shape == (3, 3, 8, 12)
        packs.add(round(real.std().item(), 3))
    assert len(packs) == 3, "each way is a pack of its own"
    assert Digits([8, 20]).open(context).draw(0, 2)["real"].shape == (2, 1, 8, 20)
