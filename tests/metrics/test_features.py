"""Features of real and generated samples: mapped once, in whole batches, and kept on disk where that is worth it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from evaluations import real_of
from torch import Tensor

from gantrain.data import Digits
from gantrain.metrics import Evaluation, Features, FeatureSpace, RealData, features, kept
from gantrain.metrics import evaluation as evaluation_module
from gantrain.metrics.features import generated_features, real_features


class Watched(FeatureSpace):
    """The pixels' sums, and how many pictures were mapped."""

    name = "watched"

    def __init__(self, costly: bool = False, of_the_run: bool = False, identity: str = "watched") -> None:
        self.costly, self.of_the_run, self._identity = costly, of_the_run, identity
        self.mapped: list[int] = []
        self.given: list[Evaluation | None] = []

    def identity(self) -> str:
        return self._identity

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        assert x.dtype == torch.uint8
        self.mapped.append(len(x))
        self.given.append(evaluation)
        sums = x.flatten(1).float().sum(1, keepdim=True)
        return Features(sums, sums.expand(-1, 3).contiguous())


def evaluation_in(folder: Path) -> Evaluation:
    draws = torch.Generator().manual_seed(0)
    x = torch.rand(6000, 1, 8, 8, generator=draws) * 2 - 1
    return Evaluation(real_of(Digits(8), folder), lambda n: x[:n].split(500))


def test_generated_samples_are_mapped_once_whatever_their_number(tmp_path: Path) -> None:
    evaluation, space = evaluation_in(tmp_path), Watched()
    few = generated_features(evaluation, space, 700)
    assert few.values.shape == (700, 1)
    assert few.logits is not None
    assert few.logits.shape == (700, 3)
    many = generated_features(evaluation, space, 5300)
    assert torch.equal(many.values[:700], few.values)
    assert torch.equal(many.values, evaluation.pixels(5300).flatten(1).float().sum(1, keepdim=True))
    assert set(space.mapped) == {500}, "whole batches: the same features, whoever asks for how many"
    mapped = len(space.mapped)
    generated_features(evaluation, space, 5000)
    assert len(space.mapped) == mapped


def test_generated_samples_beyond_the_bound_are_mapped_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (generated_features(evaluation_in(tmp_path), Watched(), n).values for n in (700, 5300))
    monkeypatch.setattr(evaluation_module, "KEPT", 64 * 600)
    evaluation, space = evaluation_in(tmp_path), Watched()
    monkeypatch.setattr(Evaluation, "pixels", None)  # which would hold them all
    assert torch.equal(generated_features(evaluation, space, 700).values, few)
    assert torch.equal(generated_features(evaluation, space, 5300).values, many)
    assert torch.equal(generated_features(evaluation, space, 5000).values, many[:5000])
    assert sum(space.mapped) == 1000 + 5500


def test_real_samples_are_mapped_once_for_all_evaluations(tmp_path: Path) -> None:
    one, space = evaluation_in(tmp_path), Watched()
    two = Evaluation(one.real, one._generate)
    every = real_features(one, space, "train")
    assert every.values.shape == (1797, 1)
    assert torch.equal(real_features(two, space, "train", 300).values, every.values[:300])
    assert torch.equal(real_features(two, Watched(), "train").values, every.values), "an equal space"
    assert sum(space.mapped) == 1797
    assert set(space.given) == {None}


def test_spaces_of_the_run_map_real_samples_at_each_evaluation(tmp_path: Path) -> None:
    one, space = evaluation_in(tmp_path), Watched(of_the_run=True)
    two = Evaluation(one.real, one._generate)
    for evaluation in (one, one, two):
        real_features(evaluation, space, "train", 100)
    assert space.mapped == [100, 100]
    assert space.given == [one, two]


def test_features_are_kept_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "CHUNK", 1000)
    first, again, other = Watched(costly=True), Watched(costly=True), Watched(costly=True, identity="another")
    found = [real_features(evaluation_in(tmp_path), space, "train") for space in (first, again, other)]
    assert [sum(space.mapped) for space in (first, again, other)] == [1797, 0, 1797]
    assert torch.equal(found[0].values, found[1].values)
    assert found[0].logits is not None
    assert found[1].logits is not None
    assert torch.equal(found[0].logits, found[1].logits)
    cheap = Watched()
    real_features(evaluation_in(tmp_path), cheap, "train")
    assert sum(cheap.mapped) == 1797
    assert len(list((tmp_path / kept.FOLDER).iterdir())) == 4, "two chunks for each space"


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "short"])
def test_damaged_files_are_computed_anew(tmp_path: Path, damage: str) -> None:
    wanted = real_features(evaluation_in(tmp_path), Watched(costly=True), "train")
    (file,) = (tmp_path / kept.FOLDER).iterdir()
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 255
    whole = {"cut": content[:middle], "empty": b"", "flipped": content, "short": b""}[damage]
    file.write_bytes(whole)
    if damage == "short":
        with file.open("wb") as stream:
            kept._write(stream, {"values": torch.zeros(3, 1)})
    space = Watched(costly=True)
    assert torch.equal(real_features(evaluation_in(tmp_path), space, "train").values, wanted.values)
    assert sum(space.mapped) == 1797


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / kept.FOLDER).write_text("in the way")
    assert real_features(evaluation_in(tmp_path), Watched(costly=True), "train", 100).values.shape == (100, 1)


def test_the_longest_unused_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(100, 1)

    def file_of(name: str) -> Path:
        kept.kept_arrays(tmp_path, name, x, lambda: {"values": x})
        return tmp_path / kept.FOLDER / f"{kept._key(name, x)}.npz"

    old, used = file_of("old"), file_of("used")
    for file, when in ((old, 1000), (used, 500)):
        os.utime(file, (when, when))
    file_of("used")  # marks it as used now
    monkeypatch.setattr(kept, "LIMIT", 2 * old.stat().st_size)
    new = file_of("new")
    assert (old.exists(), used.exists(), new.exists()) == (False, True, True)


def test_all_metrics_share_what_is_generated(tmp_path: Path) -> None:
    """Five that want different numbers have the largest generated once, and each takes the first of it."""
    asked: list[int] = []
    x = torch.linspace(-1, 1, 3000 * 64).view(3000, 1, 8, 8)

    def generate(n: int) -> list[Tensor]:
        asked.append(n)
        return [x[:n]]

    evaluation = Evaluation(real_of(Digits(8), tmp_path), generate)
    for n in (700, 2300, 100):
        evaluation.expect(n)
    for n in (100, 2300, 700):
        assert len(generated_features(evaluation, Watched(), n).values) == n
    assert asked == [2500]
