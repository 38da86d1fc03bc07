"""The classifier of a data set's labels: learnt once, kept, honest about its accuracy."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU
from evaluations import real_of
from torch import Tensor

from gantrain.data import Batches, DataContext, Digits, Gaussian1d, ImageFolder, Mnist, Source, StackedMnist, to_pixels
from gantrain.errors import UserError
from gantrain.metrics import ClassifierFeatures, RealData, classifier, modes
from gantrain.metrics.classifier import SIZE, Network, check_labelled, classifier_of, shrunk


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "LEAST", 40)
    monkeypatch.setattr(classifier, "PASSES", 1)


def said_of(source: Source, folder: Path, limit: int | None = None) -> tuple[RealData, list[str]]:
    said: list[str] = []
    return RealData(source, DataContext(folder, CPU, cache=folder, say=said.append, limit=limit)), said


def test_it_learns_digits_and_says_how_well(tmp_path: Path) -> None:
    real, _ = said_of(Digits(8, held_out=360), tmp_path)
    found = classifier_of(real)
    assert 0.93 < found.accuracy < 1
    held = real.open("held_out").draw(0, 360)
    features, logits = found(held["real"])
    assert features.shape == (360, SIZE)
    assert (logits.argmax(1) == held["label"]).double().mean().item() == pytest.approx(found.accuracy)
    of_pixels, _ = found(to_pixels(held["real"]))
    assert torch.allclose(of_pixels, features, atol=1e-4), "pixels or numbers in [-1, 1]"
    space = ClassifierFeatures()
    space.prepare(real)
    assert f"held-out accuracy {found.accuracy:.4f}" in space.identity()


def test_it_is_learnt_once(tmp_path: Path, short: None) -> None:
    (first, said), (second, silent) = (said_of(Digits(8), tmp_path) for _ in range(2))
    one = classifier_of(first)
    assert sum("training a classifier" in line for line in said) == 1
    two = classifier_of(second)
    assert not any("training" in line for line in silent)
    assert str(one) == str(two)
    x = first.open("train").draw(0, 50)["real"]
    assert torch.equal(one(x)[0], two(x)[0])


def test_a_damaged_file_is_learnt_anew(tmp_path: Path, short: None) -> None:
    one = classifier_of(said_of(Digits(8), tmp_path)[0])
    (file,) = tmp_path.glob("classifier-*.pt")
    for content in (b"", b"no weights", file.read_bytes()[:-2000]):
        file.write_bytes(content)
        real, said = said_of(Digits(8), tmp_path)
        assert str(classifier_of(real)) == str(one)
        assert any("training" in line for line in said)


def test_a_damaged_file_leaves_nothing_in_the_network(tmp_path: Path) -> None:
    first, other = (Network((1, 8, 8), 10) for _ in range(2))
    weights = other.state_dict()
    weights.popitem()
    for number, content in enumerate(({"weights": weights, "accuracy": 0.9}, {"weights": other.state_dict()})):
        file, before = tmp_path / f"{number}.pt", copy.deepcopy(first.state_dict())
        torch.save(content, file)
        assert classifier._read(file, first) is None
        assert all(torch.equal(value, before[name]) for name, value in first.state_dict().items())


def test_what_it_opened_is_closed(tmp_path: Path, short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[RealData] = []
    monkeypatch.setattr(RealData, "close", lambda real: closed.append(real))
    real, _ = said_of(Digits(8), tmp_path, limit=4)
    classifier_of(real)
    assert len(closed) == 1
    assert real is not closed[0]
    monkeypatch.setattr(modes, "classifier_of", lambda digits: digits)
    assert [modes._classifier_of_digits(real)] == closed[1:]


def test_other_samples_labels_or_layers_are_learnt_anew(
    tmp_path: Path, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = [0, 0]
    whole = Digits.fields

    def fields(self: Digits, context: DataContext) -> dict[str, np.ndarray]:
        held = whole(self, context)
        return {"real": held["real"] + np.uint8(change[0]), "label": (held["label"] + change[1]) % 10}

    monkeypatch.setattr(Digits, "fields", fields)
    for changed in ([0, 0], [1, 0], [0, 1]):
        change[:] = changed
        classifier_of(said_of(Digits(8), tmp_path)[0])
    monkeypatch.setattr(classifier, "WIDTHS", (8, 8))
    classifier_of(said_of(Digits(8), tmp_path)[0])
    assert len(list(tmp_path.glob("classifier-*.pt"))) == 4


def test_without_a_held_out_part_some_samples_are_held_out_from_it(
    tmp_path: Path, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    real, _ = said_of(Digits(8), tmp_path)
    train, judge = classifier._train, classifier._accuracy
    monkeypatch.setattr(classifier, "_train", lambda n, x, y: (seen.append(x), train(n, x, y)))
    monkeypatch.setattr(classifier, "_accuracy", lambda n, x, y: (seen.append(x), judge(n, x, y))[1])
    classifier_of(real)
    learnt, held = seen
    assert (len(learnt), len(held)) == (1797 - 179, 179)
    every = to_pixels(real.open("train").draw(0, 1797)["real"])
    assert torch.equal(torch.cat([held, learnt]), every), "each sample is in one of them"


def test_few_samples_to_train_on_are_no_reason_for_a_bad_judge(tmp_path: Path, short: None) -> None:
    assert str(classifier_of(said_of(Digits(8), tmp_path, limit=4)[0])) == str(
        classifier_of(said_of(Digits(8), tmp_path)[0])
    )


def test_the_seed_of_a_run_is_neither_seen_nor_moved(tmp_path: Path, short: None) -> None:
    """Else two seeds of one recipe would be measured in two spaces."""
    names = set()
    for seed in (0, 7):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        folder = tmp_path / str(seed)
        names.add(str(classifier_of(RealData(Digits(8), DataContext(folder, CPU, seed, cache=folder)))))
        assert torch.equal(torch.get_rng_state(), before)
    assert len(names) == 1


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 96), (3, 128, 128), (4, 256, 32)])
def test_it_takes_pictures_of_any_size(shape: tuple[int, int, int]) -> None:
    x = shrunk(torch.rand(2, *shape) * 2 - 1)
    assert max(x.shape[2:]) <= classifier.LARGEST
    assert Network(x.shape[1:], 5)(x).shape == (2, 5)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Gaussian1d(), "samples are numbers"),
        (ImageFolder("nowhere"), "labels of two classes"),
        (ImageFolder("nowhere", classes=1), "labels of two classes"),
        (StackedMnist(), "stacked_modes"),
    ],
)
def test_what_cannot_be_learnt_is_refused(source: Source, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_labelled(source)


def test_too_few_samples_are_refused(tmp_path: Path) -> None:
    class Few(Digits):
        def open(self, context: DataContext) -> Batches:
            return super().open(DataContext(tmp_path, CPU, cache=tmp_path, limit=6))

    with pytest.raises(UserError, match="10 labelled samples"):
        classifier_of(real_of(Few(8), tmp_path))


@pytest.mark.slow
def test_mnist_is_named_right(real_data: Path, tmp_path: Path) -> None:
    assert classifier_of(RealData(Mnist(), DataContext(real_data, CPU, cache=tmp_path))).accuracy > 0.99
