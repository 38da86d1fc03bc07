"""Errors of classifiers, and modes of stacked digits."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import Command
from evaluations import classified, real_of
from torch import Tensor

from gantrain.data import Digits, Gaussian1d, StackedMnist
from gantrain.metrics import CodeError, Evaluation, RealData, StackedModes, TestError, evaluate, modes
from gantrain.metrics.classifiers import assigned, held_out_classes


def test_error_is_the_share_named_wrong(tmp_path: Path) -> None:
    source = Digits(held_out=100)
    held = real_of(source, tmp_path).open("held_out").draw(0, 100)
    right = {x.numpy().tobytes(): int(y) for x, y in zip(held["real"], held["label"], strict=True)}

    def oracle(x: Tensor) -> Tensor:
        """Right but for every class 3, which it calls 4."""
        named = torch.tensor([right[sample.numpy().tobytes()] for sample in x])
        return F.one_hot(torch.where(named == 3, 4, named), 10).float()

    found = TestError()(classified(source, tmp_path, oracle, at_once=30))
    assert found == {"test_error": pytest.approx((held["label"] == 3).float().mean().item())}
    shifted = classified(source, tmp_path, lambda x: oracle(x).roll(1, 1), at_once=100)
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

    class Perfect:
        def __str__(self) -> str:
            return "perfect"

        def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, F.one_hot((x[:, 0, 0, 0] * 10).round().long(), 10)

    def perfect(real: RealData) -> Perfect:
        asked.append(real)
        return Perfect()

    asked: list[RealData] = []
    monkeypatch.setattr(modes, "classifier_of", perfect)
    numbers = torch.arange(500) % 250
    digits = torch.stack([numbers // 100, numbers // 10 % 10, numbers % 10], 1).float() / 10
    samples = F.pad(digits[:, :, None, None].expand(-1, -1, 28, 28), [2] * 4, value=0.9)
    real = real_of(StackedMnist(32), tmp_path)
    found = StackedModes(500)(Evaluation(real, lambda n: samples.split(70)))
    assert found == {"modes": 250, "reverse_kl": pytest.approx(math.log(4))}
    spoilt = samples.clone()
    spoilt[3, 0, 20, 20] = math.nan
    broken = StackedModes(500)(Evaluation(real, lambda n: [spoilt]))
    assert all(math.isnan(value) for value in broken.values())
    StackedModes(500).prepare(real)
    assert "perfect" in (StackedModes(500).protocol(Evaluation(real, lambda n: [])).space or "")
    assert len(asked) == 1, "the classifier is opened once in a run"
    fresh = real_of(StackedMnist(32), tmp_path)
    StackedModes(500).prepare(fresh)
    assert len(asked) == 2, "before the first step"


def test_few_training_samples_leave_the_held_out_part_whole(tmp_path: Path) -> None:
    real = real_of(Digits(8, held_out=360), tmp_path, limit=4)
    assert (real.open("train").size, real.open("held_out").size) == (4, 360)


def test_the_first_samples_fill_the_classifiers_last_batch(tmp_path: Path) -> None:
    """25 of 10 at once: the last 5 are seen with the first 5, and have no second say. Fewer than 10 are repeated."""
    for held_out, batches in ((25, [(0, 10), (10, 20), (20, 25, 0, 5)]), (4, [(0, 4, 0, 4, 0, 2)])):
        source = Digits(8, held_out=held_out)
        held = real_of(source, tmp_path).open("held_out").draw(0, held_out)
        seen: list[Tensor] = []

        def classify(x: Tensor, seen: list[Tensor] = seen) -> Tensor:
            seen.append(x)
            return F.one_hot(torch.full([len(x)], len(seen)), 10)

        evaluation = classified(source, tmp_path, classify, at_once=10)
        classes, labels = evaluation.once(held_out_classes)
        for x, ends in zip(seen, batches, strict=True):
            wanted = [held["real"][a:b] for a, b in zip(ends[::2], ends[1::2], strict=True)]
            assert torch.equal(x, torch.cat(wanted))
        assert classes.tolist() == [1 + k // 10 for k in range(held_out)]
        assert torch.equal(labels, held["label"])


def test_two_errors_ask_the_classifier_once(tmp_path: Path) -> None:
    asked: list[int] = []

    def classify(x: Tensor) -> Tensor:
        asked.append(len(x))
        return F.one_hot(torch.arange(len(x)) % 10, 10)

    evaluation = classified(Digits(8, held_out=30), tmp_path, classify, at_once=30)
    assert evaluate({"test": TestError(), "code": CodeError()}, evaluation).keys() == {
        "metrics/test_error",
        "metrics/code_error",
    }
    assert asked == [30]
