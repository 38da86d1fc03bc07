"""`gantrain sample input=…` of a game that translates: names, sizes and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

from gantrain.commands.shown import format_of
from gantrain.commands.trained import TrainedRun
from gantrain.commands.translating import translate_files
from gantrain.config import SampleRequest
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.losses import NonSaturating, Objective
from gantrain.networks.translator import Translator
from gantrain.runs import RunFolder
from gantrain.training.machine import Machine


class Negative(Translator):
    channels, multiple = 3, 16

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return -x


def told(asked: Mapping[str, Any], home: Path) -> tuple[Path, list[str]]:
    """Where translations into the negative went, and what was said."""
    said: list[str] = []
    cfg = OmegaConf.create({"dataset": {"_target_": "gantrain.data.Digits"}, "name": "it"})
    game = Game(Objective(NonSaturating()))
    run = TrainedRun(cfg, game, Machine(torch.device("cpu")), {}, 7, RunFolder(home))
    console: Any = SimpleNamespace(say=said.append)
    request = OmegaConf.merge(OmegaConf.structured(SampleRequest), asked)
    assert OmegaConf.is_dict(request)
    return translate_files(run, Negative(), request, {}, format_of(request.format, request.out), console), said


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Of several sizes, names and modes, one of them broken."""
    folder = tmp_path / "my pictures"
    (folder / "deep").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, size in {"a.png": (20, 33), "b.png": (64, 48), "deep/c.d.png": (5, 7), "a.bmp": (3, 3)}.items():
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(folder / name)
    (folder / "broken.jpg").write_text("nothing")
    return folder


@pytest.mark.parametrize("tile", [None, 16, 1])
def test_each_picture_keeps_its_name_and_size(pictures: Path, tmp_path: Path, tile: int | None) -> None:
    target, said = told({"input": str(pictures), "tile": tile}, tmp_path / "run")
    assert target == tmp_path / "run" / "samples" / "step7_my-pictures_seed0"
    assert sorted(str(file.relative_to(target)) for file in target.rglob("*.png")) == [
        "a.bmp.png",
        "a.png.png",
        "b.png",
        "deep/c.d.png",
    ]
    for made, given in {"a.png.png": "a.png", "b.png": "b.png", "deep/c.d.png": "deep/c.d.png"}.items():
        before, after = np.asarray(Image.open(pictures / given)), np.asarray(Image.open(target / made))
        assert np.array_equal(after, 255 - before), "each pixel is its own negative"
    assert sum("skipped broken.jpg" in line for line in said) == 1
    assert said[-1].startswith("4 pictures translated by step 7")


def test_one_picture_goes_to_the_file_that_was_named(pictures: Path, tmp_path: Path) -> None:
    target, _ = told({"input": str(pictures / "b.png"), "out": str(tmp_path / "there" / "x.png")}, tmp_path)
    assert np.asarray(Image.open(target)).shape == (64, 48, 3)
    folder, _ = told({"input": str(pictures / "b.png"), "out": str(tmp_path / "v1.0")}, tmp_path)
    assert [file.name for file in folder.iterdir()] == ["b.png"]


def test_nothing_that_was_made_before_is_written_over(pictures: Path, tmp_path: Path) -> None:
    asked = {"input": str(pictures / "b.png")}
    made = [told({**asked, "seed": seed}, tmp_path)[0].name for seed in (0, 1, 0, 0)]
    assert made == ["step7_b_seed0", "step7_b_seed1", "step7_b_seed0_2", "step7_b_seed0_3"]


def test_every_picture_has_a_name_of_its_own(tmp_path: Path) -> None:
    """The result of a.jpg keeps its ending because of a.png, and would be that of a.jpg.png."""
    (tmp_path / "many").mkdir()
    for name in ("a.jpg", "a.png", "a.jpg.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / "many" / name)
    target, _ = told({"input": str(tmp_path / "many")}, tmp_path)
    assert sorted(file.name for file in target.iterdir()) == ["a.jpg.png", "a.jpg.png.png", "a.png.png", "b.png.png"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"input": "nowhere"}, "there is no nowhere"),
        ({"input": "empty"}, "holds no pictures.*set input="),
        ({"input": "note.txt"}, "is no picture"),
        ({"input": "bad"}, "none of the 1 pictures in bad can be read"),
        ({"input": "good", "out": "good"}, "which would be lost"),
        ({"input": "good/y.png", "out": "good/y.png"}, "which would be lost"),
        ({"input": "good/y.png", "out": "link.png"}, "which would be lost"),
        ({"input": "good", "out": "bad"}, "holds files already"),
        ({"input": "good", "standing": 4}, "leave out standing"),
        ({"input": "good", "format": "npz"}, "leave out format=npz"),
        ({"input": "good", "grid": "3"}, "leave out grid"),
        ({"input": "good", "tile": 0}, "tile"),
    ],
)
def test_what_cannot_be_translated(
    asked: dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "bad", "good"):
        Path(name).mkdir()
    Path("note.txt").write_text("hello")
    Path("link.png").symlink_to("good/y.png")
    Path("bad/x.png").write_text("nothing")
    Image.new("RGB", (4, 4)).save("good/y.png")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.png")}
    with pytest.raises(UserError, match=sentence):
        told(asked, tmp_path / "run")
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.png")} == before
