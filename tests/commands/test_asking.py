"""`gantrain sample` with classes, codes and inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from PIL import Image

SHORT = ["dataset=digits", "networks=mlp", "trainer.steps=2", "trainer.batch_size=16", "trainer.device=cpu"]


def trained(gantrain: Command, *words: str) -> str:
    done = gantrain(*SHORT, *words, "name=it")
    assert done.returncode == 0, done.stderr
    return str(next(Path("outputs/it").iterdir()))


def test_classes_are_asked_for(gantrain: Command, tmp_path: Path) -> None:
    run = trained(gantrain, "model=cgan")
    assert gantrain("sample", f"run={run}", "class=3", "n=5", "out=three.npz").returncode == 0
    held = np.load("three.npz")
    assert held["samples"].shape == (5, 16, 16, 1)
    assert held["labels"].tolist() == [3] * 5
    assert gantrain("sample", f"run={run}", "class=all", "n=40").returncode == 0
    (file,) = Path(run, "samples").glob("*class-all*.png")
    width, height = Image.open(file).size
    assert height > 2 * width  # ten rows of four


def test_codes_are_swept(gantrain: Command, tmp_path: Path) -> None:
    run = trained(gantrain, "model=infogan")
    assert gantrain("sample", f"run={run}", "code=0", "n=30", "out=codes.npz").returncode == 0
    held = np.load("codes.npz")
    assert held["code_0"].tolist() == [*range(10)] * 3


def test_pictures_are_reconstructed(gantrain: Command, tmp_path: Path) -> None:
    run = trained(gantrain, "model=bigan")
    Path("pictures").mkdir()
    for k in range(3):
        Image.new("RGB", (20, 30), (k * 80,) * 3).save(f"pictures/{k}.png")
    Path("pictures/broken.png").write_text("no picture")
    done = gantrain("sample", f"run={run}", "input=pictures", "out=again.npz")
    assert done.returncode == 0, done.stderr
    assert "skipped" in done.stdout
    assert "broken.png" in done.stdout
    held = np.load("again.npz")
    assert held["samples"].shape == (3, 16, 16, 1)
    assert held["code"].shape == (3, 32)
    assert gantrain("sample", f"run={run}", "input=pictures", "out=again.png").returncode == 0


@pytest.mark.parametrize(
    ("model", "words", "sentence"),
    [
        ("cgan", ["class=10"], "class=10 is none of this run's: use 0 to 9, or all"),
        ("infogan", ["code=7"], "code=7 is none of this run's: use 0 to 2, or all"),
        ("mlp", ["class=1"], "does not know"),
        ("mlp", ["input=pictures"], "need a run with an encoder"),
    ],
)
def test_what_cannot_be_asked(gantrain: Command, tmp_path: Path, model: str, words: list[str], sentence: str) -> None:
    run = trained(gantrain, f"model={model}")
    before = sorted(Path(run, "samples").iterdir())
    done = gantrain("sample", f"run={run}", *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert sentence in done.stderr
    assert sorted(Path(run, "samples").iterdir()) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dataset=gaussian1d", "model=cgan"], "needs a dataset with labels"),
        (["model=sgan", "model.labels_per_class=500"], "more than there are"),
        (["model=mlp", "metrics=test_error", "dataset.held_out=100"], "needs a game with a classifier"),
    ],
)
def test_what_labels_cannot_do_is_refused_before_anything_is_written(
    gantrain: Command, tmp_path: Path, words: list[str], sentence: str
) -> None:
    done = gantrain(*SHORT, *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert sentence in done.stderr
    assert not Path("outputs").exists()
