"""Errors of classifiers, and modes of stacked digits."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import CPU, Command
from torch import Tensor, nn

from gantrain.data import Digits, Gaussian1d, Mnist, Place, StackedMnist
from gantrain.metrics import CodeError, Evaluation, StackedModes, TestError, modes
from gantrain.metrics import digit_classifier as digits
from gantrain.metrics.classifiers import assigned
from gantrain.metrics.digit_classifier import digit_classifier


def nothing(n: int) -> Tensor:
    return torch.zeros(n, 1)


def test_error_is_the_share_named_wrong(tmp_path: Path) -> None:
    source = Digits(held_out=100)
    place = Place(tmp_path, CPU, cache=tmp_path)
    part = source.held_out_part()
    assert part is not None
    held = part.open(place).draw(0, 100)
    right = {x.numpy().tobytes(): int(y) for x, y in zip(held["real"], held["label"], strict=True)}

    def oracle(x: Tensor) -> Tensor:
        """Right but for every class 3, which it calls 4."""
        named = torch.tensor([right[sample.numpy().tobytes()] for sample in x])
        return F.one_hot(torch.where(named == 3, 4, named), 10).float()

    found = TestError()(Evaluation(source, nothing, classify=oracle, place=place))
    assert found == {"test_error": pytest.approx((held["label"] == 3).float().mean().item())}
    shifted = Evaluation(source, nothing, classify=lambda x: oracle(x).roll(1, 1), place=place)
    assert TestError()(shifted)["test_error"] > 0.9
    assert CodeError()(shifted)["code_error"] == pytest.approx(found["test_error"])


def test_a_classifier_sees_whole_batches(gantrain: Command) -> None:
    """Its trick compares samples in groups of seven, which 360 are not."""
    words = ["dataset=digits", "dataset.held_out=360", "model=sgan", "networks=mlp", "loss=nonsaturating"]
    trick = ["tricks=[minibatch_stddev]", "tricks.minibatch_stddev.group_size=7", "trainer.batch_size=70"]
    done = gantrain(*words, *trick, "metrics=test_error", "trainer.steps=1", "trainer.device=cpu")
    assert done.returncode == 0, done.stderr
    assert "test_error" in done.stdout


def test_assignment_is_one_to_one() -> None:
    named = torch.tensor([2, 2, 2, 0, 0, 1])
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    assert assigned(named, labels).tolist() == [1, 2, 0]


def test_error_needs_a_held_out_part() -> None:
    for source in (Digits(), Gaussian1d()):
        with pytest.raises(ValueError, match="held-out part"):
            TestError().check(source)


def test_stacked_modes_counts_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A perfect classifier; 500 samples that are evenly 250 of the 1,000 numbers: KL = log 4."""
    monkeypatch.setattr(modes, "digit_classifier", lambda place: lambda x: (x[:, 0, 14, 14] * 10).round().long())
    numbers = torch.arange(500) % 250
    digits = torch.stack([numbers // 100, numbers // 10 % 10, numbers % 10], 1).float() / 10
    samples = digits[:, :, None, None].expand(-1, -1, 28, 28)
    place = Place(tmp_path, CPU, cache=tmp_path)
    found = StackedModes(500)(Evaluation(StackedMnist(), lambda n: samples, place=place))
    assert found == {"modes": 250, "reverse_kl": pytest.approx(math.log(4))}
    spoilt = samples.clone()
    spoilt[3, 0, 20, 20] = math.nan
    broken = StackedModes(500)(Evaluation(StackedMnist(), lambda n: spoilt, place=place))
    assert all(math.isnan(value) for value in broken.values())


def test_the_digit_classifier_is_trained_once(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gantrain.metrics.digit_classifier.STEPS", 150)
    said: list[str] = []
    place = Place(real_data, CPU, cache=tmp_path, say=said.append)
    name = digit_classifier(place)
    held = Mnist("test").open(place).draw(0, 1000)
    found = name(held["real"])
    assert (found == held["label"]).float().mean() > 0.93
    assert torch.equal(digit_classifier(place)(held["real"]), found)
    assert sum("training a classifier" in line for line in said) == 1


def test_images_are_held_in_their_own_precision(tmp_path: Path) -> None:
    """25,600 of three channels would fill half a GiB as float64."""
    drawn = torch.rand(10, 3, 28, 28)
    assert Evaluation(StackedMnist(), lambda n: drawn).samples(10).nbytes == 4 * drawn.numel()
    table = Evaluation(Gaussian1d(), nothing).samples(10)
    assert table.dtype == "float64"


def test_few_training_samples_leave_the_held_out_part_whole(tmp_path: Path) -> None:
    place = Place(tmp_path, CPU, cache=tmp_path, limit=4)
    seen: list[int] = []

    def classify(x: Tensor) -> Tensor:
        seen.append(len(x))
        return torch.zeros(len(x), 10)

    TestError()(Evaluation(Digits(8, held_out=360), nothing, classify=classify, place=place))
    assert seen == [360]


def test_another_network_or_other_digits_are_learnt_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of what was learnt before nothing stays behind."""
    monkeypatch.setattr(digits, "STEPS", 2)
    brightness = [0]

    def fields(self: Mnist, place: Place) -> dict[str, np.ndarray]:
        images = np.full((20, 1, 28, 28), brightness[0], np.uint8)
        return {"real": images, "label": np.arange(20) % 10}

    monkeypatch.setattr(Mnist, "fields", fields)
    said: list[str] = []
    place = Place(tmp_path, CPU, cache=tmp_path, say=said.append)
    foreign = tmp_path / "digit-classifier-mine.pt"
    foreign.write_text("mine")

    def trained() -> bool:
        said.clear()
        digit_classifier(place)
        assert len(list(tmp_path.glob("digit-classifier-*.pt"))) == 2
        return any("training a classifier" in line for line in said)

    assert (trained(), trained()) == (True, False)
    brightness[0] = 9
    assert (trained(), trained()) == (True, False)
    monkeypatch.setattr(digits, "network", lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    assert (trained(), trained()) == (True, False)
    assert foreign.exists()
