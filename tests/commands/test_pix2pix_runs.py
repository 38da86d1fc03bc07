"""pix2pix from the command line: runs on pairs, figures, translations of files, and going on where it stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, lines_of, only_run, same
from PIL import Image

TINY = ["dataset.image_size=8", "model.generator.width=2", "model.discriminator.width=2", "trainer.batch_size=8"]
DIGITS = ["experiment=pix2pix_digits", *TINY, "trainer.device=cpu"]


def facades(folder: Path, n: int, side: int = 16) -> Path:
    """Coloured pictures with their negatives at the right."""
    folder.mkdir(parents=True)
    for k in range(n):
        picture = np.random.default_rng(k).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(np.concatenate([picture, 255 - picture], 1)).save(folder / f"{k}.png")
    return folder


def test_a_run_on_digits_says_and_shows_what_it_should(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain(*DIGITS, "trainer.steps=4", "outputs_dir=out")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path / "out")
    last = lines_of(run / "metrics.jsonl")[-1]
    assert {"metrics/mae", "metrics/psnr"} <= {key for line in lines_of(run / "metrics.jsonl") for key in line}
    assert {"loss/generator/l1", "loss/generator/adversarial", "loss/discriminator/adversarial"} <= {
        key for line in lines_of(run / "metrics.jsonl") for key in line
    }, last
    width, height = Image.open(run / "samples" / "final.png").size
    assert width > height, "nine columns, five rows"
    assert gantrain("sample", f"run={run}", "n=5", "out=five.npz").returncode == 0
    held = np.load("five.npz")
    assert held["samples"].shape == held["real"].shape == (5, 8, 8, 1)
    assert gantrain("export", f"run={run}", "out=it.pt").returncode == 0
    card = json.loads(Path("it.json").read_text())
    assert card["inputs"]["input"]["shape"] == ["n", 1, 8, 8]
    done = gantrain("evaluate", f"run={run}", "metrics=[mae]")
    assert done.returncode == 0, done.stderr
    assert "mae" in done.stdout


def test_a_run_that_goes_on_equals_one_that_never_stopped(gantrain: Command, tmp_path: Path) -> None:
    words = [*DIGITS, "metrics.every=2"]
    assert gantrain(*words, "trainer.steps=6", "outputs_dir=straight").returncode == 0
    assert gantrain(*words, "trainer.steps=6", "checkpoint.every=3", "outputs_dir=halves").returncode == 0
    run = only_run(tmp_path / "halves")
    shutil.copytree(run, tmp_path / "third")
    (tmp_path / "third" / "checkpoints" / "step_00000006.pt").unlink()
    done = gantrain("run=third", "trainer.steps=6")
    assert done.returncode == 0, done.stderr
    states = [
        torch.load(folder / "checkpoints" / "step_00000006.pt", weights_only=True)
        for folder in (only_run(tmp_path / "straight"), tmp_path / "third")
    ]
    assert same(states[0]["game"], states[1]["game"])
    assert same(states[0]["optimizers"], states[1]["optimizers"])


def test_pictures_are_translated_under_their_names(gantrain: Command, tmp_path: Path) -> None:
    facades(tmp_path / "pairs" / "train", 6)
    facades(tmp_path / "pairs" / "test", 3)
    words = ["dataset=paired_folder", "dataset.path=pairs", *TINY, "trainer.steps=2", "model.discriminator.patch=16"]
    done = gantrain(*words, "metrics=pairs", "outputs_dir=out")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path / "out")
    done = gantrain("sample", f"run={run}", "input=pairs/test", "out=mine")
    assert done.returncode == 0, done.stderr
    assert {file.name: Image.open(file).size for file in Path("mine").iterdir()} == {
        f"{k}.png": (32, 16) for k in range(3)
    }
    done = gantrain("sample", f"run={run}", "input=pairs/test/1.png", "tile=8", "direction=b_to_a")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = gantrain("sample", f"run={run}", "n=50", "out=held_out.npz")
    assert done.returncode == 0, done.stderr
    assert len(np.load("held_out.npz")["samples"]) == 3, "there are no more held-out pairs"


@pytest.mark.parametrize("kind", ["downscale", "grey", "noise"])
def test_single_pictures_become_pairs(kind: str, gantrain: Command, tmp_path: Path) -> None:
    facades(tmp_path / "pictures", 12, 8)
    words = ["dataset=paired_folder", "dataset.path=pictures", f"dataset.degrade={kind}", *TINY, "trainer.steps=2"]
    done = gantrain(*words, "model.discriminator.patch=16", "outputs_dir=out")
    assert done.returncode == 0, done.stderr
    done = gantrain("sample", f"run={only_run(tmp_path / 'out')}", "input=pictures/0.png", "out=0.png")
    assert done.returncode == 0, done.stderr
    times = 4 if kind == "downscale" else 1
    assert Image.open("0.png").size == (16 * times, 8 * times)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dataset=digits_pairs", "networks@model=unet"], "70x70 patches has none on pictures of 16"),
        (["dataset=paired_folder", "dataset.path=odd"], "have no partner of the same name"),
        (["dataset=paired_folder", "dataset.path=half"], "holds no pictures"),
        (["dataset=paired_folder"], "add dataset.path="),
        (["dataset=digits", "model=pix2pix"], "needs pairs of pictures"),
        (["dataset=digits_pairs", "model=dcgan", "metrics=pairs"], "needs a game that translates pairs"),
    ],
)
def test_bad_input_is_said_in_a_sentence(words: list[str], sentence: str, gantrain: Command, tmp_path: Path) -> None:
    for name in ("odd/A/1.png", "odd/B/2.png", "half/A/1.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(tmp_path / name)
    (tmp_path / "half" / "B").mkdir()
    done = gantrain(*words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert sentence in done.stderr
    assert not Path("outputs").exists()
