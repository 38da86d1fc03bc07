"""Sources: what they read, what they refuse, and when they pack anew."""

from __future__ import annotations

import errno
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU
from PIL import Image

from gantrain.data import Array, CelebA, Cifar10, DataContext, Digits, Gaussian1d, Grid, ImageFolder, Mnist, Ring
from gantrain.errors import UserError


def context(tmp_path: Path, said: list[str] | None = None, data: Path | None = None) -> DataContext:
    return DataContext(data or tmp_path, CPU, cache=tmp_path / "cache", say=(said if said is not None else []).append)


def picture(file: Path, mode: str = "RGB", size: tuple[int, int] = (20, 12), colour: object = 200) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(file)  # type: ignore[arg-type]


def test_gaussian1d_has_its_moments_and_density() -> None:
    torch.manual_seed(0)
    x = Gaussian1d().sample(100_000, CPU)["real"]
    assert x.shape == (100_000, 1)
    assert x.mean().item() == pytest.approx(4, abs=0.01)
    assert x.std().item() == pytest.approx(0.5, abs=0.01)
    assert Gaussian1d().log_density(np.array([4.0, 5.0])) == pytest.approx(
        [-math.log(0.5 * math.sqrt(2 * math.pi)), -math.log(0.5 * math.sqrt(2 * math.pi)) - 2]
    )
    ordered = Gaussian1d(sorted=True).sample(50, CPU)["real"]
    assert (ordered.diff(dim=0) >= 0).all()


@pytest.mark.parametrize(("source", "modes", "std"), [(Ring(), 8, 0.01), (Grid(), 25, 0.05)])
def test_mixtures(source: Ring, modes: int, std: float) -> None:
    torch.manual_seed(0)
    drawn = source.sample(20_000, CPU)
    assert len(source.centres) == modes
    residue = drawn["real"] - source.centres[drawn["label"]]
    assert residue.std().item() == pytest.approx(std, rel=0.03)
    assert drawn["label"].bincount().min() > 20_000 / modes * 0.8


def test_centres_are_the_protocols() -> None:
    assert torch.allclose(Ring().centres.norm(dim=1), torch.ones(8))
    assert sorted(Grid().centres[:, 0].unique().tolist()) == [-4, -2, 0, 2, 4]


def test_digits_are_the_bundled_ones(tmp_path: Path) -> None:
    said: list[str] = []
    batches = Digits(image_size=16).open(context(tmp_path, said))
    assert batches.size == 1797
    batch = batches.draw(0, 1797)
    assert batch["real"].shape == (1797, 1, 16, 16)
    assert (batch["real"].min(), batch["real"].max()) == (-1, 1)
    assert batch["label"].bincount().min() > 170
    assert "packing digits once" in said[0]


def test_a_pack_is_reused_and_made_anew_when_settings_change(tmp_path: Path) -> None:
    said: list[str] = []
    for size in (16, 16, 8):
        Digits(image_size=size).open(context(tmp_path, said))
    packing = [line for line in said if "packing" in line]
    assert len(packing) == 2
    assert "anew" in packing[1]
    assert not list((tmp_path / "cache").glob(".*"))


def test_a_pack_that_failed_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> dict[str, np.ndarray]:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(Digits, "pack", fail)
    with pytest.raises(UserError, match="packing the data needs more room"):
        Digits().open(context(tmp_path))
    assert not list((tmp_path / "cache").iterdir())


def test_image_folder_takes_any_mode_size_and_nesting(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    picture(folder / "cats" / "deep" / "a.png", "RGB", (40, 20), (255, 0, 0))
    picture(folder / "cats" / "b.jpg", "L", (9, 30), 255)
    picture(folder / "dogs" / "c.png", "P", (16, 16), 0)
    picture(folder / "dogs" / "d.png", "RGBA", (16, 16), (0, 0, 0, 0))
    picture(folder / "dogs" / "e.tif", "I;16", (16, 16), 65535)
    (folder / "dogs" / "notes.txt").write_text("not a picture")
    batch = ImageFolder(str(folder), image_size=8).open(context(tmp_path)).draw(0, 5)
    by_label = {k: batch["real"][batch["label"] == k] for k in (0, 1)}
    assert (len(by_label[0]), len(by_label[1])) == (2, 3)
    assert batch["real"].shape == (5, 3, 8, 8)
    whites = [x for x in by_label[1] if (x > 0.98).all()]
    assert len(whites) == 2, "transparent becomes white, and 16-bit white stays white"
    assert ImageFolder.auto("classes", {"path": str(folder)}, tmp_path) == 2


def test_broken_pictures_are_named_skipped_and_counted(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for k in range(3):
        picture(folder / f"{k}.png", colour=(k * 50,) * 3)
    (folder / "1b.png").write_bytes(b"not a png")
    said: list[str] = []
    batches = ImageFolder(str(folder), image_size=8).open(context(tmp_path, said))
    assert batches.size == 3
    assert any("skipped" in line and "1b.png" in line for line in said)
    assert any("1 of 4 pictures" in line for line in said)
    values = sorted(round(x.mean().item(), 2) for x in batches.draw(0, 3)["real"])
    assert values == pytest.approx([k * 50 / 127.5 - 1 for k in range(3)], abs=0.01)
    for k in range(3):
        (folder / f"{k}.png").write_bytes(b"broken")
    with pytest.raises(UserError, match="cannot be read"):
        ImageFolder(str(folder), image_size=8).open(context(tmp_path))


def test_a_changed_folder_is_packed_anew(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    picture(folder / "a.png")
    assert ImageFolder(str(folder), image_size=8).open(context(tmp_path)).size == 1
    picture(folder / "b.png")
    assert ImageFolder(str(folder), image_size=8).open(context(tmp_path)).size == 2


def test_celeba_crops_in_proportion_and_reads_attributes(tmp_path: Path) -> None:
    folder = tmp_path / "celeba"
    for name, width, height in (("1.jpg", 178, 218), ("2.jpg", 89, 109)):
        file = folder / "img_align_celeba" / name
        picture(file, size=(width, height), colour=(0, 0, 0))
        with Image.open(file) as opened:
            inside = opened.copy()
        crop = round(width * 148 / 178)
        left, top = (width - crop) // 2, (height - crop) // 2
        inside.paste((255, 255, 255), (left - 1, top - 1, left + crop + 2, top + crop + 2))
        inside.save(file, quality=100)
    (folder / "list_attr_celeba.txt").write_text("2\nMale Smiling\n1.jpg -1  1\n2.jpg  1 -1\n")
    for attribute, labels in (("Male", [0, 1]), ("Smiling", [1, 0])):
        batch = CelebA(image_size=32, attribute=attribute).open(context(tmp_path)).draw(0, 2)
        assert (batch["real"] > 0.8).float().mean() > 0.99
        assert sorted(batch["label"].tolist()) == sorted(labels)
    with pytest.raises(UserError, match="not one of CelebA's"):
        CelebA(attribute="Wings").open(context(tmp_path))


def test_array_standardises_and_keeps_the_way_back(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal([3, -100], [0.1, 50], (500, 2))
    for name in ("t.npy", "t.npz", "t.csv", "u.NPY"):
        file = tmp_path / name
        if name.endswith("csv"):
            np.savetxt(file, table, delimiter=",", header="a,b", comments="")
        else:
            with file.open("wb") as opened:  # by its name, NumPy would call it u.NPY.npy
                (np.savez if name.endswith("npz") else np.save)(opened, table)
        assert Array.auto("dim", {"path": str(file)}, tmp_path) == 2
        batches = Array(str(file), 2).open(context(tmp_path))
        x = batches.draw(0, 500)["real"]
        assert x.mean(0).abs().max() < 1e-5
        back = x * batches.facts["std"] + batches.facts["mean"]
        np.testing.assert_allclose(np.sort(back.numpy(), 0), np.sort(table, 0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.csv", None, "no file"),
        ("text.csv", "a,b\n1,x\n", "cannot be read"),
        ("nan.csv", "1,2\nnan,3\n", "not finite, row 1"),
        ("table.xlsx", "", "neither"),
        ("one.csv", "1,2\n", "at least two rows"),
        ("hole.csv", "1,\n3,4\n5,6\n", "cannot be read"),
        ("holes.csv", ",\n3,4\n5,6\n", "cannot be read"),
        ("later.csv", "a,b\n1,2\n3,\n", "cannot be read"),
        ("slip.csv", "1,2o\n3,4\n5,6\n", "mixes numbers and words"),
        ("empty.npy", "", "cannot be read"),
        ("empty.npz", "", "cannot be read"),
    ],
)
def test_array_refuses(tmp_path: Path, name: str, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=sentence):
        Array(str(tmp_path / name), 2).open(context(tmp_path))


@pytest.mark.parametrize("before", ["", "\ufeff", "a,b\n", "\ufeffa,b\n", "\ufeff,b\n", "# 7 rows\n", "# 1,2\n"])
def test_no_row_is_lost(tmp_path: Path, before: str) -> None:
    """A byte-order mark, as spreadsheets write it, names and remarks are no rows; everything else is."""
    (tmp_path / "t.csv").write_text(before + "1,2\n3,4\n5,6 # the last\n", encoding="utf-8")
    batches = Array(str(tmp_path / "t.csv"), 2).open(context(tmp_path))
    assert batches.size == 3
    back = batches.draw(0, 3)["real"] * batches.facts["std"] + batches.facts["mean"]
    assert sorted(back[:, 0].round().tolist()) == [1, 3, 5]


def test_a_constant_column_stays_what_it_is(tmp_path: Path) -> None:
    """The mean of many 0.1 is not 0.1, and their deviation not 0, by rounding alone."""
    np.save(tmp_path / "t.npy", np.stack([np.full(1000, 0.1), np.arange(1000)], 1))
    batches = Array(str(tmp_path / "t.npy"), 2).open(context(tmp_path))
    assert batches.draw(0, 1000)["real"][:, 0].abs().max() < 1e-6


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.ones((4, 2)) * 1j)
    with pytest.raises(UserError, match="complex"):
        Array(str(tmp_path / "t.npy"), 2).open(context(tmp_path))


def test_array_never_unpickles(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read"):
        Array(str(tmp_path / "p.npy"), 1).open(context(tmp_path))


def test_mnist(tmp_path: Path, real_data: Path) -> None:
    for split, size in (("train", 60_000), ("test", 10_000)):
        batches = Mnist(split).open(context(tmp_path, data=real_data))
        assert batches.size == size
        assert batches.draw(0, 2)["real"].shape == (2, 1, 28, 28)


def test_cifar10(tmp_path: Path, real_data: Path) -> None:
    batches = Cifar10().open(context(tmp_path, data=real_data))
    assert batches.size == 50_000
    batch = batches.draw(0, 50_000)
    assert batch["label"].bincount().tolist() == [5000] * 10
    assert batch["real"].mean((0, 2, 3)) / 2 + 0.5 == pytest.approx([0.491, 0.482, 0.447], abs=2e-3)


def test_celeba_faces(tmp_path: Path, real_data: Path) -> None:
    assert CelebA(image_size=16).open(context(tmp_path, data=real_data)).draw(0, 4)["real"].shape == (4, 3, 16, 16)
