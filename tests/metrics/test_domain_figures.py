"""Figures of two domains: by hand where that is possible, and by classifiers of real digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from conftest import CPU
from PIL import Image
from torch import Tensor

from gantrain.data import DataContext, Digits, DigitsDomains, UnpairedFolders
from gantrain.errors import UserError
from gantrain.metrics import CycleError, Evaluation, RealData, SameClass

Sets = Callable[[int], list[Mapping[str, Tensor]]]


def evaluation_of(sets: Sets, folder: Path) -> Evaluation:
    source = DigitsDomains("negative", image_size=8, held_out=100)
    real = RealData(source, DataContext(folder, CPU, cache=folder))
    return Evaluation(real, lambda n: [], sets=sets, from_data=True)


def test_cycle_errors_by_hand(tmp_path: Path) -> None:
    """0.5 off everywhere, and 2 in half of the pictures; of those that are asked for alone."""
    x = torch.zeros(4, 1, 8, 8)
    there = torch.cat([torch.full((2, 1, 8, 8), 2.0), torch.zeros(2, 1, 8, 8)])
    part = {"other": x, "samples": x, "cycled": x + 0.5, "real": x, "samples_a": x, "cycled_b": there}
    assert CycleError(4)(evaluation_of(lambda n: [part], tmp_path)) == {"cycle_error": 0.5, "cycle_error_back": 1.0}
    assert CycleError(2)(evaluation_of(lambda n: [part], tmp_path))["cycle_error_back"] == 2.0


def test_no_more_pictures_are_judged_than_there_are(tmp_path: Path) -> None:
    """100 are held out; an evaluation gives them over and over, and the second time they would be wrong."""
    right, wrong = torch.zeros(100, 1, 8, 8), torch.ones(400, 1, 8, 8)
    start = torch.zeros(500, 1, 8, 8)
    end = torch.cat([right, wrong])
    part = {"other": start, "samples": start, "cycled": end, "real": start, "samples_a": start, "cycled_b": end}
    assert CycleError(1000)(evaluation_of(lambda n: [part], tmp_path))["cycle_error"] == 0


def test_classes_are_named_by_classifiers_of_each_domain(tmp_path: Path) -> None:
    """Negatives of held-out digits keep the class; those of the neighbour in the batch mostly do not."""
    source = DigitsDomains("negative", image_size=8, held_out=100).held_out_part()
    assert source is not None
    data = source.open(DataContext(tmp_path, CPU, cache=tmp_path)).draw(0, 100)
    true = {**data, "samples": -data["other"], "samples_a": -data["real"]}
    metric, evaluation = SameClass(1000), evaluation_of(lambda n: [true], tmp_path)
    found = metric(evaluation)
    assert found["same_class"] >= 0.93
    assert found["same_class_back"] >= 0.93
    told = str(metric.protocol(evaluation))
    assert told.startswith("100 samples of the generator as it is against 100 real ones; held_out part of ")
    assert "A: classifier" in told
    swapped = {**true, "samples": -data["other"].roll(1, 0)}
    assert metric(evaluation_of(lambda n: [swapped], tmp_path))["same_class"] <= 0.3
    pairs = {"other": data["other"], "samples": -data["other"]}  # made from noise: no label is known
    assert metric(evaluation_of(lambda n: [pairs], tmp_path)) == pytest.approx({"same_class": 0.97}, abs=0.04)


def test_pictures_that_are_missing_are_told_of_before_the_first_step(tmp_path: Path) -> None:
    for name, count in {"trainA": 1, "trainB": 1, "testA": 1, "testB": 0}.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        if count:
            Image.new("L", (8, 8)).save(tmp_path / "set" / name / "x.png")
    source = UnpairedFolders(str(tmp_path / "set"), image_size=8, channels=1)
    with pytest.raises(UserError, match=r"domain B is empty: .*testB"):
        CycleError().prepare(RealData(source, DataContext(tmp_path, CPU, cache=tmp_path)))


def test_one_domain_is_refused() -> None:
    for metric in (SameClass(), CycleError()):
        with pytest.raises(ValueError, match="needs a dataset of two domains"):
            metric.check(Digits(8))
