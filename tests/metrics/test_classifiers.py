"""Errors of classifiers, and modes of stacked digits."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import CPU, Command
from torch import Tensor

from gantrain.data import Digits, Gaussian1d, Place, StackedMnist
from gantrain.metrics import CodeError, Evaluation, StackedModes, TestError, modes
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
    from gantrain.data import Mnist

    held = Mnist("test").open(place).draw(0, 1000)
    found = name(held["real"])
    assert (found == held["label"]).float().mean() > 0.93
    assert torch.equal(digit_classifier(place)(held["real"]), found)
    assert sum("training a classifier" in line for line in said) == 1
