"""What metrics are given: the same in every pass, computed once, and real data as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import CPU
from evaluations import evaluation_of, real_of
from torch import Tensor

from gantrain.data import Augment, Batches, DataContext, Digits, Gaussian1d, Ring, Source, to_pixels
from gantrain.metrics import DualityGap, Evaluation, Modes, RealData, SpectrumError, StackedModes, evaluate
from gantrain.metrics import evaluation as evaluation_module
from gantrain.metrics.evaluation import Part


def drawn(real: RealData, part: Part, n: int | None = None, at_once: int = 100) -> Tensor:
    return torch.cat([batch["real"] for batch in real.batches(part, n, at_once)])


@pytest.mark.parametrize("sizes", [[500, 500, 3], [1, 2, 1000], [1003]])
def test_generated_batches_are_as_large_as_was_asked(sizes: list[int]) -> None:
    x = torch.arange(1003.0)[:, None]
    evaluation = Evaluation(real_of(Gaussian1d()), lambda n: x[:n].split(sizes))
    for at_once in (1, 100, 500, 1003, 5000):
        parts = list(evaluation.batches(1003, at_once))
        assert {len(part) for part in parts[:-1]} <= {at_once}
        assert 0 < len(parts[-1]) <= at_once
        assert torch.equal(torch.cat(parts), x)
    assert torch.equal(evaluation.samples(1003), x)


def test_pixels_are_kept_as_bytes() -> None:
    """25,600 images of three channels would fill four times as much memory as numbers."""
    asked: list[int] = []

    def generate(n: int) -> list[Tensor]:
        asked.append(n)
        return [torch.linspace(-1, 1, 6000).view(500, 3, 2, 2)[:n]]

    evaluation = Evaluation(real_of(Digits()), generate)
    pixels = evaluation.pixels(10)
    assert (pixels.dtype, pixels.shape) == (torch.uint8, (10, 3, 2, 2))
    assert torch.equal(pixels, to_pixels(generate(10)[0]))
    assert evaluation.pixels(10).data_ptr() == pixels.data_ptr()
    assert asked == [500, 10], "once by the evaluation, in whole batches, and once here"


def test_pixels_beyond_the_bound_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """One set at most is held, whatever numbers are asked for."""
    x = torch.linspace(-1, 1, 12 * 2000).view(2000, 3, 2, 2)
    evaluation = Evaluation(real_of(Digits()), lambda n: x[:n].split(500))
    monkeypatch.setattr(evaluation_module, "KEPT", 12 * 1000)
    for n in (300, 700, 1500, 2000, 900):
        assert torch.equal(evaluation.pixels(n), to_pixels(x[:n]))
        assert len(held(evaluation)) <= 1
        assert all(y.numel() <= 12 * 1000 for y in held(evaluation))


def held(evaluation: Evaluation) -> list[Tensor]:
    """The tensors that an evaluation holds."""
    values = [*vars(evaluation).values(), *evaluation._made.values()]
    return [value for value in values if isinstance(value, Tensor)]


def test_what_is_computed_once_is_kept_by_function_and_arguments() -> None:
    made: list[tuple[Evaluation, int, str]] = []

    def features(evaluation: Evaluation, n: int, space: str) -> float:
        made.append((evaluation, n, space))
        return float(n)

    def others(evaluation: Evaluation, n: int, space: str) -> float:
        return -float(n)

    one, two = (evaluation_of(torch.zeros(3, 1), Gaussian1d()) for _ in range(2))
    for evaluation in (one, two):
        for n, space in ((5, "pixels"), (5, "classifier"), (6, "pixels")):
            assert [evaluation.once(features, n, space) for _ in range(3)] == [n] * 3
            assert evaluation.once(others, n, space) == -n
    wanted = [(5, "pixels"), (5, "classifier"), (6, "pixels")]
    assert made == [(evaluation, *arguments) for evaluation in (one, two) for arguments in wanted]


def test_a_part_is_opened_once_and_never_augmented(tmp_path: Path) -> None:
    """And what is trained on is not opened a second time. Its order is that of seed 0, whatever the run's is."""
    opened: list[Source] = []

    class Watched(Digits):
        def open(self, context: DataContext) -> Batches:
            opened.append(self)
            return super().open(context)

        def held_out_part(self) -> Source:
            return Watched(8, Augment(flip=True, crop=3), self.held_out, "test")

    for budget in (None, 0):
        context = DataContext(tmp_path, CPU, seed=3, cache=tmp_path, budget=budget)
        source = Watched(8, Augment(flip=True, crop=3), held_out=100)
        training = source.open(context)
        real = RealData(source, context, training)
        ordered = replace(context, seed=0)
        plain = {part: Digits(8, held_out=100, part=part).open(ordered) for part in ("train", "test")}
        opened.clear()
        for _ in range(2):
            assert torch.equal(drawn(real, "held_out"), plain["test"].draw(0, 100)["real"])
            assert torch.equal(drawn(real, "train"), plain["train"].draw(0, 1697)["real"])
            assert torch.equal(drawn(real, "train", 250), plain["train"].draw(0, 250)["real"])
        assert len(opened) == 1
        trained, unchanged = training.draw(0, 100)["real"], plain["train"].draw(0, 100)["real"]
        assert not torch.equal(trained, unchanged), "training is augmented as before"
        for batches in (real, training, *plain.values()):
            batches.close()


def test_training_and_evaluation_share_what_lies_on_the_device(tmp_path: Path) -> None:
    context = DataContext(tmp_path, CPU, cache=tmp_path)
    training = Digits(8, Augment(flip=True)).open(context)
    before = training._fields["real"].data_ptr()  # type: ignore[attr-defined]
    assert RealData(Digits(8), context, training).open("train")._fields["real"].data_ptr() == before  # type: ignore[attr-defined]


def test_samples_that_are_drawn_afresh_are_the_same_in_every_pass() -> None:
    """Whatever else is drawn between them, and for every seed, so that seeds are compared with the same samples."""
    real = real_of(Ring())
    first = drawn(real, "train", 250)
    assert first.unique(dim=0).shape == (250, 2)
    again = []
    for batch in real.batches("train", 250, 100):
        again.append(batch["real"])
        torch.randn(7)
    assert torch.equal(torch.cat(again), first)
    other = RealData(Ring(), DataContext(Path("data"), CPU, seed=1))
    assert torch.equal(drawn(other, "train", 250), first)


def test_only_what_was_opened_here_is_closed() -> None:
    closed: list[str] = []

    class Named(Batches):
        size = 1

        def __init__(self, name: str) -> None:
            self.name = name

        def draw(self, position: int, n: int) -> dict[str, Tensor]:
            return {"real": torch.zeros(n, 1)}

        def close(self) -> None:
            closed.append(self.name)

    class Split(Gaussian1d):
        def held_out_part(self) -> Source:
            return Split()

        def open(self, context: DataContext) -> Batches:
            return Named("held out")

    real = RealData(Split(), DataContext(Path("data"), CPU), Named("training"))
    assert drawn(real, "train").shape == drawn(real, "held_out").shape == (1, 1)
    real.close()
    assert closed == ["held out"]


def test_those_that_stream_let_no_samples_be_kept_for_others() -> None:
    class Streaming(Modes):
        streams = True

    evaluation = evaluation_of(torch.zeros(2500, 2), Ring())
    evaluate({"long": Streaming(2000), "short": Modes(700)}, evaluation)
    assert evaluation.most == 1000
    assert StackedModes.streams
    assert SpectrumError.streams
    assert DualityGap.streams
