"""What a picture file becomes: its depth, its transparency, its orientation, and which files are opened at all."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU
from PIL import EpsImagePlugin, Image

from gantrain.data import DataContext, ImageFolder
from gantrain.data.fitting import Fitting
from gantrain.data.pictures import open_picture


def opened(file: Path, size: int, channels: int) -> np.ndarray:
    """A picture as it is packed for squares."""
    return open_picture(file, Fitting((size, size)), channels)[0]


def grey_of(file: Path, values: np.ndarray, **options: object) -> np.ndarray:
    """The 8-bit grey (side, side) that a square picture of such values becomes, unscaled."""
    Image.fromarray(values).save(file, **options)  # type: ignore[arg-type]
    return opened(file, len(values), 1)[0]


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits_are_rounded_to_8(tmp_path: Path, ending: str) -> None:
    """65,535 is white, so that 257 steps of 16 bits are one of 8, to the nearest."""
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert (grey_of(tmp_path / f"a.{ending}", values) == np.rint(values / 257)).all()


def test_16_bits_of_a_portable_grey_map_are_dark_where_it_is_dark(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P5 2 2 65535\n" + np.full(4, 257 * 3, ">u2").tobytes())
    assert (opened(tmp_path / "a.ppm", 2, 1) == 3).all()


def test_16_bit_grey_keeps_its_values_beside_what_is_transparent(tmp_path: Path) -> None:
    values = np.full((4, 4), 257 * 100, np.uint16)
    values[:2] = 257 * 50
    found = grey_of(tmp_path / "a.png", values, transparency=257 * 50)
    assert (found[:2] == 255).all(), "transparent becomes white"
    assert (found[2:] == 100).all()
    alpha = opened(tmp_path / "a.png", 4, 4)[3]
    assert (alpha[:2] == 0).all()
    assert (alpha[2:] == 255).all()


@pytest.mark.parametrize("white", [255, 65_535, 2**31 - 1])
def test_32_bit_grey_is_not_black(tmp_path: Path, white: int) -> None:
    """Such a file does not say what white is: the least depth that holds its values."""
    values = np.array([[0, white], [white // 5 * 2, white]], np.int32)
    assert grey_of(tmp_path / "a.tif", values).tolist() == [[0, 255], [102, 255]]


def test_unsigned_32_bit_white_is_white(tmp_path: Path) -> None:
    """A TIFF written by hand, for PIL writes only numbers with a sign, and reads 2³² - 1 as -1."""
    values = np.array([[0, 2**32 - 1], [2**32 - 1, 2**30]], "<u4").tobytes()
    tags = {256: 2, 257: 2, 258: 32, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: len(values)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(values)) + values + directory)
    assert opened(tmp_path / "a.tif", 2, 1)[0].tolist() == [[0, 255], [255, 64]]


@pytest.mark.parametrize(("white", "whitest"), [(1.0, 1.0), (1.0, 1.5), (255.0, 255.0), (65_535.0, 65_535.0)])
def test_grey_of_floats_is_not_black(tmp_path: Path, white: float, whitest: float) -> None:
    values = np.array([[0, whitest], [0.4 * white, -0.1]], np.float32)
    assert grey_of(tmp_path / "a.tif", values).tolist() == [[0, 255], [102, 0]]


def test_grey_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not finite"):
        grey_of(tmp_path / "a.tif", np.full((2, 2), np.nan, np.float32))


@pytest.mark.parametrize(("orientation", "top", "left"), [(1, 200, 200), (6, 30, 200), (3, 30, 30), (8, 200, 30)])
def test_pictures_stand_as_the_camera_was_held(tmp_path: Path, orientation: int, top: int, left: int) -> None:
    """Exif 2.3, 4.6.4: 6 is shown after a quarter turn clockwise, 3 after a half, 8 after one the other way."""
    values = np.full((20, 20), 30, np.uint8)
    values[:10, :10] = 200  # the corner at the top left
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "a.png", exif=exif)
    found = opened(tmp_path / "a.png", 20, 1)[0]
    corners = {(y, x): int(found[y, x]) for y in (0, -1) for x in (0, -1)}
    bright = next(place for place, value in corners.items() if value == 200)
    assert bright == {(200, 200): (0, 0), (30, 200): (0, -1), (30, 30): (-1, -1), (200, 30): (-1, 0)}[top, left]


def test_the_centre_is_kept(tmp_path: Path) -> None:
    values = np.zeros((10, 30), np.uint8)
    values[:, 10:20] = 255
    Image.fromarray(values).save(tmp_path / "a.png")
    assert (opened(tmp_path / "a.png", 10, 1) == 255).all()


def folder_with(tmp_path: Path, name: str, content: bytes) -> Path:
    """A folder of three good pictures and one more file."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(3):
        Image.new("L", (12, 10), 50 * k).save(folder / f"{k}.png")
    (folder / name).write_bytes(content)
    return folder


def test_a_picture_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PIL decodes PostScript by Ghostscript, whatever the file is called."""
    started: list[object] = []
    monkeypatch.setattr(
        EpsImagePlugin, "Ghostscript", lambda *_, **__: started.append(1) or Image.core.new("L", (9, 9))
    )
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n"
    folder, said = folder_with(tmp_path, "a.png", script), list[str]()
    assert Image.open(folder / "a.png").format == "EPS"
    batches = ImageFolder(str(folder), 8, 1).open(DataContext(tmp_path, CPU, cache=tmp_path / "cache", say=said.append))
    assert not started
    assert batches.size == 3
    assert any("skipped" in line and "a.png" in line for line in said)


def test_a_picture_of_too_many_pixels_is_named_and_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than twice of what PIL finds large is refused; what is merely large is read in silence."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    folder, said = folder_with(tmp_path, "notes.txt", b""), list[str]()
    Image.new("L", (20, 20)).save(folder / "bomb.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batches = ImageFolder(str(folder), 8, 1).open(
            DataContext(tmp_path, CPU, cache=tmp_path / "cache", say=said.append)
        )
    assert batches.size == 3
    assert sum("bomb.png" in line for line in said) == 1
    assert any("1 of 4 pictures" in line for line in said)


def test_more_classes_than_were_said_are_refused(tmp_path: Path) -> None:
    from gantrain.errors import UserError

    for name in "abc":
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "pictures" / name / "1.png")
    context = DataContext(tmp_path, CPU, cache=tmp_path / "cache")
    assert ImageFolder(str(tmp_path / "pictures"), 8, 1, classes=3).open(context).size == 3
    with pytest.raises(UserError, match="3 classes"):
        ImageFolder(str(tmp_path / "pictures"), 8, 1, classes=2).open(context)


def test_labels_stay_with_their_pictures_where_some_are_broken(tmp_path: Path) -> None:
    """Brightness tells the class: 40 times its number."""
    for k, name in enumerate("abc"):
        for n in range(4):
            (tmp_path / "pictures" / name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 40 * k).save(tmp_path / "pictures" / name / f"{n}.png")
    (tmp_path / "pictures" / "a" / "2.png").write_bytes(b"broken")
    batch = (
        ImageFolder(str(tmp_path / "pictures"), 8, 1).open(DataContext(tmp_path, CPU, cache=tmp_path / "c")).draw(0, 11)
    )
    brightness = ((batch["real"][:, 0, 0, 0] + 1) * 127.5).round().long()
    assert torch.equal(brightness, 40 * batch["label"])
    assert batch["label"].bincount().tolist() == [3, 4, 4]
