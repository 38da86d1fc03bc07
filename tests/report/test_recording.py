"""What a run writes and prints: metrics.jsonl, TensorBoard, run.log, progress, the table of a model."""

from __future__ import annotations

import io
import json
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer
from torch import nn

from gantrain.networks.layers import spectrally_normalise
from gantrain.report import console as console_module
from gantrain.report.console import Bar, Console
from gantrain.report.recorder import Recorder
from gantrain.report.summary import summarise
from gantrain.runs import RunFolder


def strict(line: str) -> dict[str, float | None]:
    """JSON as the standard has it, which knows no NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(line, parse_constant=refuse)


def board_of(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    recorder = Recorder(RunFolder(tmp_path))
    recorder.numbers({"loss/a": math.nan, "loss/b": math.inf, "loss/c": -math.inf, "loss/d": 1.25}, 3)
    recorder.close()
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert strict(line) == {"step": 3, "loss/a": None, "loss/b": None, "loss/c": None, "loss/d": 1.25}
    again = Recorder(RunFolder(tmp_path), 3)
    again.close()
    assert again.latest == {"loss/d": 1.25}
    assert [strict(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [strict(line)]


def test_numbers_are_kept_to_seven_digits_and_in_order(tmp_path: Path) -> None:
    recorder = Recorder(RunFolder(tmp_path))
    for step, value in ((1, 123456.789), (2, 1.23456789e-7)):
        recorder.numbers({"a": value}, step)
    recorder.close()
    lines = [strict(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1, "a": 123456.8}, {"step": 2, "a": 1.234568e-7}]
    assert [(e.step, e.value) for e in board_of(tmp_path).Scalars("a")] == [
        (1, pytest.approx(123456.789)),
        (2, pytest.approx(1.23456789e-7)),
    ]


def test_a_run_that_goes_on_forgets_what_came_after_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers and pictures of steps that will be played again go; a line that was cut off goes with them."""
    # TensorBoard reads files of one second in the order of their numbers as words, in which 10 comes before 9
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    first = Recorder(RunFolder(tmp_path))
    for step in (10, 20, 30):
        first.numbers({"a": float(step)}, step)
        first.picture(np.full((4, 4, 3), step, np.uint8), step)
    first.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "a"')
    second = Recorder(RunFolder(tmp_path), 20)
    assert second.latest == {"a": 20.0}
    second.numbers({"a": 31.0}, 30)
    second.close()
    steps = [(line["step"], line["a"]) for line in map(strict, (tmp_path / "metrics.jsonl").read_text().splitlines())]
    assert steps == [(10, 10.0), (20, 20.0), (30, 31.0)]
    assert [file.name for file in RunFolder(tmp_path).samples.by_step()] == ["00000010.png", "00000020.png"]
    assert [(e.step, e.value) for e in board_of(tmp_path).Scalars("a")] == steps


def test_pictures_are_files_and_images_of_the_board(tmp_path: Path) -> None:
    recorder = Recorder(RunFolder(tmp_path))
    pages = {step: np.full((4, 6, 3), 40 + step, np.uint8) for step in (0, 5, 12)}
    pages[12][0, 0] = (255, 0, 0)
    recorder.real(np.full((4, 6, 3), 200, np.uint8))
    for step, page in pages.items():
        recorder.picture(page, step)
    recorder.finish()
    recorder.histograms({"weight/g/w": torch.tensor([1.0, 2.0, 2.0], dtype=torch.bfloat16)}, 12)
    recorder.close()
    for name, page in (("00000005.png", pages[5]), ("00000012.png", pages[12]), ("final.png", pages[12])):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "samples" / name)), page)
    with Image.open(tmp_path / "samples" / "training.gif") as film:
        assert film.n_frames == 3
    board = board_of(tmp_path)
    assert [image.step for image in board.Images("samples")] == [0, 5, 12]
    assert (board.Images("samples")[0].width, board.Images("samples")[0].height) == (6, 4)
    (histogram,) = board.Histograms("weight/g/w")
    assert (histogram.step, histogram.histogram_value.num, histogram.histogram_value.sum) == (12, 3, 5)


def test_what_was_said_before_there_was_a_folder_is_in_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console()
    console.say("early")
    console.note("noted")
    console.keep_in(RunFolder(tmp_path).open_log())
    console.say("late")
    console.close()
    logged = (tmp_path / "run.log").read_text().splitlines()
    assert [line[20:] for line in logged] == ["early", "noted", "late"]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in logged)
    assert capsys.readouterr().out.splitlines() == ["early", "late"]


def test_speed_and_time_left_count_from_the_first_step_of_those_that_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten steps of 32 images in 4 s after a slow one: 80 images/s, and an hour and 14 s for the 9,034 steps left."""
    now = 1000.0
    monkeypatch.setattr(console_module.time, "monotonic", lambda: now)
    bar = Bar(Console(), start=100, steps=9145, batch_size=32)
    bar.show({"generator": 0.69314, "discriminator": 1.5})
    for step, clock in ((101, 1003.0), (111, 1007.0)):
        now = clock
        bar.at(step)
    bar.close()
    first, line = capsys.readouterr().out.splitlines()
    assert first == "step 101 of 9,145  generator 0.693  discriminator 1.5  0:03 gone"
    assert line == "step 111 of 9,145  generator 0.693  discriminator 1.5  80 images/s  0:07 gone, 1:00:14 left"


@pytest.mark.parametrize("to", [1, 20])
def test_a_run_that_goes_back_counts_its_speed_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], to: int
) -> None:
    """To its first step or a later one, after more than a minute: then a step of four images in each second."""
    now = 0.0
    monkeypatch.setattr(console_module.time, "monotonic", lambda: now)
    bar = Bar(Console(), start=0, steps=100, batch_size=4)
    for step, clock in ((1, 1.0), (50, 100.0), *((to + k, 101.0 + k) for k in range(16))):
        now = clock
        bar.at(step)
    lines = capsys.readouterr().out.splitlines()
    assert not any("-" in line for line in lines)
    assert lines[-1] == f"step {to + 14} of 100    4 images/s  1:55 gone, {console_module.clock(86 - to)} left"


def test_slow_steps_are_told_of_after_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(console_module.time, "monotonic", lambda: now)
    bar = Bar(Console(), start=0, steps=10, batch_size=30)
    for step in range(1, 5):
        now += 25.0
        bar.at(step)
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("gone") for line in lines] == [True, True, True, False]
    assert lines[-1].endswith("  1 images/s  1:40 gone, 2:30 left")


def test_lines_come_now_and_then_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One step a second: soon at first, then every fifteen seconds, and the last in any case."""
    now = 0.0
    monkeypatch.setattr(console_module.time, "monotonic", lambda: now)
    bar = Bar(Console(), start=0, steps=63, batch_size=1)
    for step in range(1, 64):
        now = float(step)
        bar.at(step)
    steps = [int(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert steps[0] == 2
    assert steps[-1] == 63
    assert max(b - a for a, b in pairwise(steps)) == 15
    assert len(steps) <= 8


def test_the_clock_may_end_a_run_before_its_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(console_module.time, "monotonic", lambda: now)
    bar = Bar(Console(), start=0, steps=9000, batch_size=1, seconds=60)
    now = 5.0
    bar.at(5)
    assert capsys.readouterr().out.endswith("0:05 gone, 0:55 left\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_one_bar_that_goes_on_where_the_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    bar = Bar(Console(), start=100, steps=200, batch_size=32)
    bar.show({"generator": 0.69314})
    for step in (101, 150, 200):
        bar.at(step)
    bar.close()
    last = terminal.getvalue().rpartition("\r")[2]
    assert "200/200" in last
    assert "generator 0.693" in last
    assert "100/200" in terminal.getvalue()


def test_settings_stand_beside_the_figures_on_the_board(tmp_path: Path) -> None:
    recorder = Recorder(RunFolder(tmp_path))
    recorder.settings({"seed": 3, "tricks": ["ema"], "loss": "hinge"}, {"metrics/modes": 8.0})
    recorder.close()
    content = board_of(tmp_path).PluginTagToContent("hparams")
    begun = content["_hparams_/session_start_info"]
    assert all(word in begun for word in (b"seed", b"tricks", b"ema", b"hinge"))
    assert b"metrics/modes" in content["_hparams_/experiment"]


def test_the_table_of_a_model_counts_each_parameter_once() -> None:
    """2·3 + 3 and 3·1 + 1 of two linear layers, 3 + 3 of a norm whose running moments are no parameters."""
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    spectrally_normalise(network)
    rows = [line.split() for line in summarise(network, lambda: network(torch.zeros(5, 2))).splitlines()]
    assert rows == [
        ["layer", "kind", "output", "parameters"],
        ["0", "Linear", "5x3", "9"],
        ["1", "BatchNorm1d", "5x3", "6"],
        ["2", "ReLU", "5x3", "0"],
        ["3", "Linear", "5x1", "4"],
        ["19", "parameters"],
    ]
    assert not any(part._forward_hooks for part in network.modules())
