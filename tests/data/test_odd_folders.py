"""Folders as people have them: files that are broken, turned, of any mode, or no pictures at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import CPU
from PIL import Image

from gantrain.data import DataContext, ImageFolder
from gantrain.data.originals import Originals, printable
from gantrain.errors import UserError


def blot(height: int = 40, width: int = 60, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height))


def packed(folder: Path, **settings: object) -> tuple[np.ndarray, np.ndarray, Originals, list[str]]:
    """Pictures, labels, what the files were, and what was said."""
    said: list[str] = []
    source = ImageFolder(str(folder), 16, **settings)  # type: ignore[arg-type]
    context = DataContext(folder, CPU, cache=folder.parent / "cache", say=said.append)
    fields = source.fields(context)
    originals = source.originals(context)
    assert originals is not None
    return np.asarray(fields["real"]), np.asarray(fields["label"]), originals, said


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_every_mode_becomes_a_picture(tmp_path: Path, fit: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    blot().convert("CMYK").save(folder / "cmyk.jpg")
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        blot().convert(mode).save(folder / f"{mode}.png")
    blot().convert("LAB").save(folder / "lab.tif")
    Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60) * 27).save(folder / "deep.png")
    blot(1, 1).save(folder / "pixel.png")
    real, _, originals, said = packed(folder, fit=fit)
    assert len(real) == 10
    assert not originals.broken
    assert {"CMYK", "1", "L", "LA", "P", "RGB", "RGBA", "LAB"} <= originals.modes.keys()
    assert originals.by_size() == {(40, 60): 9, (1, 1): 1}
    assert not any("skipped" in line for line in said)
    index = {name: k for k, name in enumerate(originals.names)}
    assert np.abs(real[index["cmyk.jpg"]].astype(int) - real[index["RGB.png"]]).mean() < 8


def test_of_several_pictures_in_a_file_the_first_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    for ending in ("gif", "tif", "webp", "png"):
        frames[0].save(folder / f"a.{ending}", save_all=True, append_images=frames[1:])
    real, _, originals, _ = packed(folder)
    assert originals.animated == 4
    assert (np.abs(real.mean((2, 3)) - [255, 0, 0]) < 6).all()


def test_turned_pictures_are_counted_and_stand_upright(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    blot(90, 60).save(folder / "turned.png", exif=exif)
    blot(90, 60).transpose(Image.Transpose.ROTATE_270).save(folder / "upright.png")
    blot(90, 60).save(folder / "damaged.jpg", exif=b"Exif\x00\x00no more than words")
    real, _, originals, _ = packed(folder)
    assert originals.turned == 1
    assert originals.by_size() == {(60, 90): 2, (90, 60): 1}
    assert (real[1] == real[2]).all(), "turned.png, upright.png"


def test_names_of_any_letters_and_of_none(tmp_path: Path) -> None:
    folder = tmp_path / "Größe ✓ #1"
    (folder / "猫").mkdir(parents=True)
    blot().save(folder / "猫" / "été ☃.png")
    blot(seed=1).save(folder / "猫" / "plain.png")
    with open(os.fsencode(folder / "猫") + b"/\xff\x1b[31m.png", "wb") as file:
        file.write(b"broken")
    real, _, originals, said = packed(folder)
    assert len(real) == 2
    assert originals.names == ["猫/plain.png", "猫/été ☃.png"]
    assert list(originals.broken) == ["猫/\\udcff\\x1b[31m.png"]
    assert all(line.isprintable() for line in said)
    assert printable("a\nb") == "a\\nb"


def test_what_systems_leave_in_folders_is_no_picture_and_no_class(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for name in ("cats", "__MACOSX", ".ipynb_checkpoints"):
        (folder / name).mkdir(parents=True)
        (folder / name / "._a.png").write_bytes(b"not a picture")
        (folder / name / "a.png").write_bytes(b"not a picture")
    blot().save(folder / "cats" / "a.png")
    real, label, originals, _ = packed(folder)
    assert (len(real), label.tolist(), originals.broken) == (1, [0], {})
    assert ImageFolder.auto("classes", {"path": str(folder)}, tmp_path) == 1
    assert ImageFolder(str(folder)).class_names(tmp_path) == ["cats"]


def test_broken_files_are_named_with_what_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(4):
        blot(seed=k).save(folder / f"{k}.png")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:200])
    (folder / "empty.png").write_bytes(b"")
    (folder / "words.jpg").write_text("hello")
    _, _, originals, _ = packed(folder)
    assert "truncated" in originals.broken["cut.png"]
    assert originals.broken["empty.png"] == "it is empty"
    assert "no picture" in originals.broken["words.jpg"]


def test_folders_without_a_picture_end_in_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    with pytest.raises(UserError, match="holds no pictures"):
        packed(folder)
    (folder / "a.HEIC").write_text("x")
    with pytest.raises(UserError, match=r"only \.heic \(1\): .* or convert them"):
        packed(folder)
    for k in range(3):
        (folder / f"{k}.png").write_text("x")
    with pytest.raises(UserError, match=r"3 of 3 pictures .* 0\.png first \(it is no picture"):
        packed(folder)


def test_packs_of_before_without_notes_say_nothing(tmp_path: Path) -> None:
    assert Originals.read(tmp_path) is None
    (tmp_path / "notes.json").write_text("{")
    assert Originals.read(tmp_path) is None
