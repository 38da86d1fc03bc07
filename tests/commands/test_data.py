"""`gantrain data`: what it says, warns of and draws, by the real command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Command, only_run
from PIL import Image
from sounding import sine, write

from gantrain.options import listed, options_of


def blots(folder: Path, n: int, height: int = 40, width: int = 80, first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(first, first + n):
        coarse = np.random.default_rng(k).integers(0, 256, (4, 6, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(folder / f"{k}.png")


LARGE = {"cifar10": pytest.mark.slow}


@pytest.mark.parametrize(
    "dataset", [pytest.param(name, marks=LARGE.get(name, ())) for name in listed("dataset", options_of("dataset"))]
)
def test_every_data_set_is_told_of(
    gantrain: Command, tmp_path: Path, dataset: str, request: pytest.FixtureRequest
) -> None:
    words = [f"dataset={dataset}"]
    if dataset == "celeba":
        blots(tmp_path / "celeba" / "img_align_celeba", 6, 218, 178)
        words += [f"data_dir={tmp_path}"]
    if dataset in ("mnist", "mnist_domains", "stacked_mnist", "cifar10", "fashion_mnist"):
        words += [f"data_dir={request.getfixturevalue('real_data')}"]
    if dataset == "image_folder":
        blots(tmp_path / "pictures", 6)
        words += ["dataset.path=pictures"]
    if dataset == "paired_folder":
        blots(tmp_path / "pairs", 12, 16, 32)
        words += ["dataset.path=pairs"]
    if dataset == "unpaired_folders":
        blots(tmp_path / "domains" / "trainA", 6)
        blots(tmp_path / "domains" / "trainB", 8)
        words += ["dataset.path=domains"]
    if dataset == "sound_folder":
        write(tmp_path / "sounds" / "a.wav", sine(440, 8000, 1.5), 8000)
        words += ["dataset.path=sounds"]
    if dataset == "array":
        np.save(tmp_path / "table.npy", np.random.default_rng(0).normal(size=(50, 3)))
        words += ["dataset.path=table.npy"]
    done = gantrain("data", *words)
    if dataset == "fashion_mnist" and "could not be downloaded" in done.stderr:
        pytest.skip("Fashion-MNIST is not here")
    assert done.returncode == 0, done.stderr
    for heading in ("  values ", "  copies ", "  classes ", "  held out ", "  sheet "):
        assert heading in done.stdout
    (sheet,) = (tmp_path / "outputs" / "data").iterdir()
    assert str(Path("outputs/data") / sheet.name) in done.stdout
    assert min(Image.open(sheet).size) > 100
    assert not list(tmp_path.rglob("config.yaml")), "nothing is trained"


def test_a_folder_with_everything_wrong_gets_a_sentence_for_each(gantrain: Command, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    blots(folder / "many", 30)
    blots(folder / "few", 2, first=50)
    for k in range(4):
        (folder / "many" / f"copy{k}.png").write_bytes((folder / "many" / "3.png").read_bytes())
        Image.new("RGB", (80, 40), (9 * k, 0, 0)).save(folder / "many" / f"flat{k}.png")
    (folder / "gone").mkdir()
    (folder / "gone" / "a.png").write_bytes(b"x")
    (folder / "b.heic").write_bytes(b"x")
    words = ("data", f"dataset.path={folder}", "model=dcgan")
    done = gantrain(*words, "dataset.image_size=64", "tricks=[ema]")
    assert done.returncode == 0, done.stderr
    for words in (
        "'tricks=[ema,diffaugment]'",
        "are copies of others",
        "4 pictures of one colour",
        "1 of 41 pictures are broken",
        ".heic (1): convert them",
        "50% of a picture is cut away on average: try dataset.image_size=[64,128], or dataset.fit=pad",
        "40 pictures smaller than what is made of them, and blown up: dataset.image_size=32",
        "the class gone has no sample",
        "the class many has 38 samples and few 2",
    ):
        assert words in done.stdout, words
    better = gantrain(
        *("data", "dataset=image_folder", f"dataset.path={folder}", "dataset.image_size=[32,64]", "dataset.fit=pad"),
        *("model=dcgan", "tricks=[ema,diffaugment]"),
    ).stdout
    for words in ("heart", "cut away on", "border on average:", "blown"):
        assert words not in better, words


def test_a_smaller_size_keeps_the_shape(gantrain: Command, tmp_path: Path) -> None:
    """And a folder's name with a full stop is whole, in the title and in the sheet's file."""
    folder = tmp_path / "my.photos"
    blots(folder, 12, height=40, width=60)
    done = gantrain("data", "dataset=image_folder", f"dataset.path={folder}", "dataset.image_size=[64,96]")
    assert "blown up: dataset.image_size=[32,48]" in done.stdout, done.stderr
    assert "\nmy.photos\n" in done.stdout
    assert "my.photos-sheet.png" in done.stdout


def test_pictures_that_are_fine_are_let_be(gantrain: Command) -> None:
    assert "nothing here speaks against training" in gantrain("data").stdout


def test_what_training_would_refuse_is_told_before(gantrain: Command) -> None:
    done = gantrain("data", "dataset.image_size=[16,300]", "model=dcgan")
    assert done.returncode == 0, done.stderr
    assert "training would be refused" in done.stdout
    assert "side 8 to 256, got 16x300" in done.stdout
    assert "nothing here" not in done.stdout


def test_the_sheet_has_a_row_for_each_augmentation_and_one_for_all(gantrain: Command, tmp_path: Path) -> None:
    base = ("data", "dataset.image_size=[16,24]", "model=dcgan", "loss=nonsaturating", "n=6")
    heights = []
    for words in (
        ["tricks=[ema]"],
        ["tricks=[diffaugment]"],
        ["tricks=[diffaugment,ada]"],
        ["tricks=[diffaugment,ada]", "dataset.augment.flip=true"],
    ):
        done = gantrain(*base, *words, "out=sheet.png")
        assert done.returncode == 0, done.stderr
        page = Image.open(tmp_path / "sheet.png")
        assert page.width > 600
        heights.append(page.height)
    row = heights[1] - heights[0]
    assert [round((height - heights[0]) / row) for height in heights] == [0, 1, 3, 4]


def test_what_is_seen_of_ada_is_augmented(tmp_path: Path) -> None:
    import torch

    from gantrain.tricks import ADA
    from gantrain.turns import Batch

    trick, x = ADA(), torch.rand(16, 3, 16, 16)
    trick.name = "ada"
    assert "p = 1/2" in trick.show()
    seen = trick.augment(x, Batch({}, {}, torch.zeros(())))
    assert 0.3 < (seen - x).abs().flatten(1).amax(1).gt(0.05).float().mean() <= 1


def test_held_out_samples_that_are_trained_on_are_told(gantrain: Command) -> None:
    done = gantrain("data", "dataset.held_out=297")
    assert "297 samples, which training never sees" in done.stdout
    assert "pictures  1,500," in done.stdout


def test_held_out_pictures_of_each_domain_are_told(gantrain: Command, tmp_path: Path) -> None:
    """Of three in testA one is in trainA too."""
    for name, greys in {"trainA": (10, 20), "trainB": (30, 40), "testA": (10, 50, 60), "testB": (70, 80)}.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for grey in greys:
            Image.new("L", (16, 16), grey).save(tmp_path / "set" / name / f"{grey}.png")
    done = gantrain("data", "dataset=unpaired_folders", "dataset.path=set")
    assert done.returncode == 0, done.stderr
    a, b = [line for line in done.stdout.splitlines() if "training never sees" in line]
    assert a.endswith("3 samples, which training never sees; 1 of them are copies of what it sees")
    assert b.endswith("2 samples, which training never sees")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["n=0"], "n must be 1 or more"),
        (["n=two"], "n=two should be a whole number"),
        (["run=somewhere"], "looks at a data set, not at a run"),
        (["dataset=image_folder"], "add dataset.path="),
        (["dataset=image_folder", "dataset.path=nowhere"], "there is no folder nowhere"),
        (["dataset.image_size=[8,8,8]"], "image_size is one number, or [height, width]"),
        (["dataset.image_size=big"], "a whole number or a list of whole numbers"),
        (["dataset.fit=pad"], "fit"),
        (["--multirun"], "one data set at a time"),
    ],
)
def test_mistakes_get_a_sentence(gantrain: Command, words: list[str], said: str) -> None:
    done = gantrain("data", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_tells_its_settings(gantrain: Command) -> None:
    shown = gantrain("data", "--help").stdout
    for word in ("out: null", "n: 24", "dataset.fit=pad"):
        assert word in shown
    assert "gantrain data dataset.path=" in gantrain("--help").stdout


def test_pictures_that_are_not_square_are_trained_sampled_and_reconstructed(gantrain: Command, tmp_path: Path) -> None:
    blots(tmp_path / "pictures", 12)
    short = ["trainer.steps=2", "trainer.batch_size=4", "log.every=1", "log.samples_every=2"]
    done = gantrain(
        *("dataset=image_folder", "dataset.path=pictures", "dataset.image_size=[16,24]", "dataset.fit=stretch"),
        *("model=bigan", "networks=dcgan_small", "loss=nonsaturating", *short),
    )
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert gantrain("sample", f"run={run}", "n=4", "out=a.npz").returncode == 0
    assert np.load(tmp_path / "a.npz")["samples"].shape == (4, 16, 24, 3)
    again = gantrain("sample", f"run={run}", "input=pictures", "out=b.npz")
    assert again.returncode == 0, again.stderr
    arrays = np.load(tmp_path / "b.npz")
    assert arrays["samples"].shape == (12, 16, 24, 3)
