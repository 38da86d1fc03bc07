"""Folders as people have them: files that are broken, turned, of any mode, or no pictures at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import CPU
from PIL import Image, ImageOps

from gantrain.data import DataContext, Digits, ImageFolder
from gantrain.data.fitting import Fitting
from gantrain.data.originals import Originals
from gantrain.data.pictures import files_below, open_picture
from gantrain.errors import UserError
from gantrain.untrusted import printable


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


def test_files_come_in_the_order_of_their_names_and_links_do_not_lead_away(tmp_path: Path) -> None:
    for name in ("b", "b.d", "B", "a/z", "é"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "pictures" / name / "x.png").write_bytes(b"")
    for name in ("b-.png", "b0.png", "A.png"):
        (tmp_path / "pictures" / name).write_bytes(b"")
    (tmp_path / "pictures" / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "pictures" / "round").symlink_to(tmp_path / "pictures", target_is_directory=True)
    (tmp_path / "pictures" / "linked.png").symlink_to(tmp_path / "pictures" / "A.png")
    found = files_below(tmp_path / "pictures")
    assert found == sorted(found)
    assert len(found) == 9
    with pytest.raises(UserError, match=r"A\.png is a file: .*dataset=array"):
        files_below(tmp_path / "pictures" / "A.png")


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


def test_what_was_done_is_said_in_few_lines(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(30):
        blot(seed=k).save(folder / f"{k}.png")
    for k in range(14):
        (folder / f"broken{k:02}.jpg").write_bytes(b"x")
    exif = Image.Exif()
    exif[0x0112] = 3
    blot().save(folder / "turned.jpg", exif=exif)
    blot().save(folder / "moving.gif", save_all=True, append_images=[blot(seed=1)])
    veil = blot().convert("RGBA")
    veil.save(folder / "opaque.png")
    veil.putalpha(100)
    veil.save(folder / "veil.png")
    for name in ("a.HEIC", "b.heic", "c.txt"):
        (folder / name).write_text("x")
    _, _, originals, said = packed(folder)
    assert originals.clear == 1
    assert "data: left out 2 .heic, of a format that is not read: convert to .png or .jpg what should count" in said
    assert sum("skipped broken" in line for line in said) == 10
    assert "data: 14 of 48 pictures are broken and were skipped" in said
    (done,) = (line for line in said if "upright" in line)
    assert done == (
        "data: 1 turned upright, as the camera was held; 1 with several pictures, of which the first is taken; "
        "1 see-through in parts, which became white"
    )
    assert not any("white" in line for line in packed(folder, channels=4)[3])


def test_large_photographs_are_decoded_small_and_look_the_same(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    y, x, _ = np.mgrid[:1200, :1600, :1]
    grain = np.random.default_rng(0).normal(0, 30, (1200, 1600, 3))
    textured = 128 + 60 * np.sin(x / 9) + 40 * np.cos(y / 13) + grain
    Image.fromarray(textured.clip(0, 255).astype(np.uint8)).save(tmp_path / "a.jpg", quality=92, exif=exif)
    fitting = Fitting((64, 64))
    small, original = open_picture(tmp_path / "a.jpg", fitting, 3)
    with Image.open(tmp_path / "a.jpg") as opened:
        whole = np.asarray(fitting(ImageOps.exif_transpose(opened)))
    assert original.size == (1600, 1200)
    apart = np.abs(small.transpose(1, 2, 0).astype(int) - whole)
    assert apart.max() <= 2
    assert apart.mean() < 0.6  # decoded twice as coarsely it would be over 1


def test_pictures_that_differ_in_the_middle_alone_are_different(tmp_path: Path) -> None:
    for k in range(3):
        picture = np.full((400, 400, 3), 255, np.uint8)
        picture[180:220] = 50 * k
        Image.fromarray(picture).save(tmp_path / f"{k}.bmp")
    assert ImageFolder(str(tmp_path), 16).count(tmp_path) == 3


def test_different_pictures_are_counted_without_being_decoded(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(8):
        blot(seed=k).save(folder / f"{k}.bmp")
    (folder / "again.bmp").write_bytes((folder / "3.bmp").read_bytes())
    (folder / "words.txt").write_text("x")
    assert ImageFolder(str(folder), 16).count(tmp_path) == 8
    assert ImageFolder(str(folder), 16).few(tmp_path) == 8
    assert Digits().count(tmp_path) is None
    assert Digits().few(tmp_path) is None


@pytest.mark.parametrize(("side", "n", "few"), [(16, 999, 999), (16, 1000, None), (32, 4999, 4999), (64, 5000, None)])
def test_few_are_more_where_pictures_are_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, n: int, few: int | None
) -> None:
    monkeypatch.setattr(ImageFolder, "count", lambda self, data_dir: n)
    assert ImageFolder(str(tmp_path), [side, 2 * side]).few(tmp_path) == few


def test_linked_folders_are_counted_and_named(tmp_path: Path) -> None:
    for name in ("cats", "elsewhere", "pictures/dogs"):
        (tmp_path / name).mkdir(parents=True)
        blot().save(tmp_path / name / "a.png")
    folder = tmp_path / "pictures"
    assert not any("passed over" in line for line in packed(folder)[3])
    (folder / "cats").symlink_to(tmp_path / "cats", target_is_directory=True)
    assert "data: passed over 1 linked folder (cats)" in packed(folder)[3], "what is packed already is the same"
    (folder / "dogs" / "inside").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert "data: passed over 2 linked folders (cats, dogs/inside)" in packed(folder)[3]


def test_jfif_is_a_jpeg(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    blot().save(tmp_path / "pictures" / "a.JFIF", format="JPEG")
    assert len(packed(tmp_path / "pictures")[0]) == 1
