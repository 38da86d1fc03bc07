"""A folder of one's own, by its path alone: what the words mean, and what is chosen where few pictures are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import config
from PIL import Image

from gantrain.config import complete, compose, hydra_at, implied
from gantrain.data import ImageFolder, source
from gantrain.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for k in range(5):
        values = np.random.default_rng(k).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(values).save(pictures / f"{k}.png")
    return pictures


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (["dataset.path=x"], True),
        (["model=resnet", "dataset.path=x", "experiment=acgan_digits"], True),
        (["dataset.path=x,y", "experiment=acgan_digits,cgan_digits"], True),
        (["dataset.path=x", "dataset=array"], False),
        (["dataset.path=x", "dataset=digits"], False),
        (["dataset=digits,image_folder", "dataset.path=x"], False),
        (["seed=3"], False),
    ],
)
def test_a_path_alone_means_pictures(words: list[str], added: bool) -> None:
    with hydra_at():
        assert implied(words, "train") == (["dataset=image_folder"] if added else []) + words
        assert implied(implied(words, "train"), "train") == implied(words, "train")


def test_an_experiment_that_chose_a_data_set_with_a_path_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\ndefaults:\n  - override /dataset: array\n  - override /model: mlp\n"
    (tmp_path / "experiment" / "table.yaml").write_text(text)
    with hydra_at(str(tmp_path)):
        words = ["experiment=table", "dataset.path=x.npy"]
        assert implied(words, "train") == words
        assert compose(words).dataset["_target_"] == "gantrain.data.Array"


def test_other_data_sets_have_no_path_still() -> None:
    with pytest.raises(UserError, match=r"dataset\.path is no setting"):
        config("dataset=digits", "dataset.path=x")
    with pytest.raises(UserError, match="there is no folder nowhere"):
        config("dataset.path=nowhere")
    with pytest.raises(UserError, match=r"dataset\.augment\.flip has no automatic value"):
        config("dataset=digits", "dataset.augment.flip=auto")
    with pytest.raises(UserError, match=r"dataset\.fit has no automatic value"):
        config("dataset=image_folder", "dataset.path=.", "dataset.fit=auto")


def test_settings_that_were_given_stay(folder: Path) -> None:
    cfg = config(f"dataset.path={folder}")
    chosen = (cfg.dataset.image_size, cfg.dataset.channels, cfg.dataset.classes, cfg.dataset.augment.flip)
    assert chosen == (32, 3, 1, False)
    assert cfg.choices.overrides == ["dataset=image_folder", f"dataset.path={folder}"]
    words = ["dataset.image_size=[16,24]", "dataset.channels=1", "dataset.classes=null", "dataset.augment.flip=true"]
    dataset = config(f"dataset.path={folder}", *words).dataset
    given = (dataset.image_size, dataset.channels, dataset.classes, dataset.augment.flip)
    assert given == ([16, 24], 1, None, True)
    assert config(f"dataset.path={folder}", "dataset.augment=null").dataset.augment is None


FEW = "data: 5 pictures are few: DiffAugment is on ('tricks=[ema]' turns it off)"


@pytest.mark.parametrize(
    ("words", "tricks"),
    [
        ([], ["ema", "diffaugment"]),
        (["tricks.ema.half_life=100"], ["ema", "diffaugment"]),
        (["tricks=[ema]"], ["ema"]),
        (["tricks=[ema,ada]", "loss=nonsaturating"], ["ema", "ada"]),
        (["experiment=cgan_digits"], ["ema"]),
        (["debug=overfit"], ["ema"]),
    ],
)
def test_few_pictures_are_augmented_where_nobody_chose(folder: Path, words: Sequence[str], tricks: list[str]) -> None:
    said: list[str] = []
    with hydra_at():
        cfg = complete(compose([f"dataset.path={folder}", *words]), said.append)
    assert list(cfg.tricks) == cfg.choices.groups.tricks == tricks
    assert (FEW in said) == (tricks == ["ema", "diffaugment"])
    if FEW in said:
        named = config(f"dataset.path={folder}", *words, "tricks=[ema,diffaugment]")
        assert (cfg.tricks, cfg.choices.groups) == (named.tricks, named.choices.groups)


def test_many_pictures_and_other_data_sets_are_not_augmented(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "FEW", {4096: 5})
    assert list(config(f"dataset.path={folder}").tricks) == ["ema"]
    assert list(config("dataset=digits").tricks) == ["ema"]
    monkeypatch.setattr(source, "FEW", {4096: 6})
    monkeypatch.setattr(ImageFolder, "count", lambda self, data_dir: 1)
    said: list[str] = []
    with hydra_at():
        complete(compose([f"dataset.path={folder}"]), said.append)
    assert said[-1].startswith("data: 1 picture is few:")


def test_a_loss_that_augments_is_enough(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own" / "loss").mkdir(parents=True)
    text = "defaults:\n  - nonsaturating\n  - /tricks@tricks: ada\n"
    (tmp_path / "own" / "loss" / "augmented.yaml").write_text(text)
    with hydra_at(str(tmp_path / "own")):
        cfg = complete(compose([f"dataset.path={folder}", "loss=augmented"]))
    assert list(cfg.loss.tricks) == ["ada"]
    assert list(cfg.tricks) == ["ema"]


@pytest.mark.parametrize(("count", "metrics"), [(1, ["mind_pixels"]), (2, ["mind_pixels", "diversity"])])
def test_one_picture_differs_from_no_other(folder: Path, count: int, metrics: list[str]) -> None:
    for file in sorted(folder.iterdir())[count:]:
        file.unlink()
    assert config(f"dataset.path={folder}").metrics.use == metrics
