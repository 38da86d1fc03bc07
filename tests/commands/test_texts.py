"""`gantrain sample text=…`: words as a user types them, files of them, what they leave behind, what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, only_run
from PIL import Image

from gantrain.config import prepare
from gantrain.report.captioned import FONT, GAP, LEAST, LINES, CaptionedGrid, wrapped

SMALL = (
    "dataset=digits_captions dataset.image_size=16 dataset.pictures=60 trainer.steps=3 trainer.batch_size=8 tricks=[]"
)
NARROW = "model.generator.width=2 model.discriminator.width=2 model.picture.width=2 model.encoder.width=4 "
NARROW += "model.encoder_steps=1 log.every=1"


def test_words_of_a_text_stand_as_they_are_typed() -> None:
    assert prepare("text=a big 7, on the 'left'") == r"text='a big 7, on the \'left\''"


def test_samples_of_texts(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain(*SMALL.split(), *NARROW.split())
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    for name in ("real", "final"):
        assert Image.open(run / "samples" / f"{name}.png").width > 8 * LEAST

    done = gantrain("sample", f"run={run}", "text=A big 7, on the left", "n=4")
    assert done.returncode == 0, done.stderr
    assert (run / "samples" / "step3_n4_seed0_text-A-big-7,-on-the-left.png").is_file()

    (tmp_path / "mine.txt").write_text("a red 7\n\na small 3 at the top\n")
    done = gantrain("sample", f"run={run}", "text=mine.txt", "n=6", "format=npz", "out=t.npz")
    assert done.returncode == 0, done.stderr
    arrays = np.load(tmp_path / "t.npz")
    assert arrays["captions"].tolist() == ["a red 7"] * 3 + ["a small 3 at the top"] * 3
    assert set(arrays) == {"samples", "captions"}
    assert arrays["samples"].shape == (6, 16, 16, 3)

    done = gantrain("sample", f"run={run}", "n=3", "format=files", "out=folder")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "folder" / "captions.csv").open()))
    assert [row["file"] for row in rows] == [f"00000{k}.png" for k in range(3)]
    again = gantrain("data", "dataset=image_folder", "dataset.path=folder", "model=text2image")
    assert "captions  3, such as" in again.stdout

    before = {file: file.stat().st_mtime_ns for file in run.rglob("*")}
    for words, sentence in (
        (["text=ein großes (7)"], "has letters that no caption of the data set has, ß ( )"),
        (["text="], "names nothing"),
        (["text=none.txt"], "none.txt cannot be read"),
        (["class=3"], "class=… asks for what this run's game does not know"),
        (["input=folder"], "input=… reconstructs or translates"),
    ):
        refused = gantrain("sample", f"run={run}", *words)
        assert refused.returncode == 2, words
        assert sentence in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert {file: file.stat().st_mtime_ns for file in run.rglob("*")} == before


def test_a_run_without_texts_refuses_them(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("dataset=ring8", "trainer.steps=2").returncode == 0
    refused = gantrain("sample", f"run={only_run(tmp_path)}", "text=a 7")
    assert refused.returncode == 2
    assert "text=… asks for what this run's game does not know" in refused.stderr


@pytest.mark.parametrize("channels", [1, 3])
def test_each_picture_stands_over_its_caption(channels: int) -> None:
    pictures = np.full((5, channels, 16, 16), -1.0, np.float32)
    pictures[4] = 1.0
    page = CaptionedGrid(["one"] * 4 + ["two and much more " * 3], columns=3).render(pictures, "")
    cell = LEAST + GAP
    assert page.shape[1] == 3 * cell + GAP
    assert (page[GAP : GAP + LEAST, GAP : GAP + LEAST] == 0).all()
    below = page[GAP + LEAST : GAP + LEAST + FONT + 6, GAP : GAP + LEAST]
    assert (below < 128).any(), "there are words"
    white = page[:, :, 0].min(1) == 255
    assert white[:GAP].all()


def test_long_captions_are_cut() -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(FONT)
    lines = wrapped("a very long caption " * 9, font, LEAST)
    assert len(lines) == LINES
    assert lines[-1].endswith("…")
    assert all(font.getlength(line) <= LEAST for line in [*lines, *wrapped("x" * 90, font, LEAST)])
    assert wrapped("short", font, LEAST) == ["short"]
