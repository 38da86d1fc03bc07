"""A disk that is full: what was saved stays whole, what can wait waits, and one sentence says so."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CPU, Command, lines_of, only_run
from killing import events
from PIL import Image

from gantrain.data import DataContext, Digits, ImageFolder
from gantrain.errors import UserError
from gantrain.report.recorder import Recorder
from gantrain.runs import CheckpointFiles, RunFolder, load_checkpoint
from gantrain.training.rounds import Rounds

pytestmark = pytest.mark.usefixtures("plain_pictures")

SHORT = ["dataset=ring8", "trainer.batch_size=8", "trainer.steps=6", "checkpoint.every=2", "metrics.use=[]"]
SHORT += ["log.every=1", "log.samples_every=2", "model.generator.hidden=[64,64]", "name=it", "outputs_dir=disk"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.name != "posix" or os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root mounts file systems")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    """To the last byte."""
    with (disk / "others").open("ab", buffering=0) as file:
        for size in (2**16, 2**12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def filled(monkeypatch: pytest.MonkeyPatch, disk: Path, at: int, until: int) -> None:
    """The disk is full while these steps are played."""
    play = Rounds.play

    def played(self: Rounds, progress: Any, observe: bool = False) -> None:
        play(self, progress, observe)
        if progress.step == at:
            fill(disk)
        if progress.step == until:
            (disk / "others").unlink()

    monkeypatch.setattr(Rounds, "play", played)


def test_training_goes_on_and_saves_when_there_is_room(
    gantrain: Command, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(monkeypatch, disk, at=3, until=5)
    done = gantrain(*SHORT)
    assert (done.returncode, done.stderr) == (0, "")
    said = "the checkpoint of step 4 could not be saved (No space left on device), the last one is of step 2: make room"
    assert said in done.stdout
    run = only_run(disk)
    assert [file.name for file in sorted((run / "checkpoints").iterdir())] == [
        "step_00000002.pt",
        "step_00000006.pt",
    ]
    assert [line["step"] for line in lines_of(run / "metrics.jsonl") if "lr/generator" in line] == [1, 2, 3, 4, 5, 6]
    assert json.loads((run / "status.json").read_text())["status"] == "finished"


@pytest.mark.parametrize("word", ["checkpoint.on_failure=stop", "checkpoint.on_failure=go_on"])
def test_a_run_whose_end_cannot_be_saved_has_failed(
    gantrain: Command, disk: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    with monkeypatch.context() as patched:
        filled(patched, disk, at=3, until=-1)
        done = gantrain(*SHORT, word)
    assert done.returncode == 1
    step = 4 if "stop" in word else 6
    assert f"the checkpoint of step {step} could not be saved (No space left on device)" in done.stderr
    run = only_run(disk)
    said = json.loads((run / "status.json").read_text())
    assert (said["status"], "could not be saved" in said["reason"]) == ("failed", True)
    assert load_checkpoint(run / "checkpoints" / "step_00000002.pt")["progress"]["step"] == 2
    assert not list(run.rglob("*.part"))
    (disk / "others").unlink()
    assert gantrain(f"run={run}").returncode == 0


def test_a_checkpoint_that_does_not_fit_leaves_the_last_one(disk: Path) -> None:
    files = CheckpointFiles(disk / "checkpoints")
    files.make()
    state = {"config": "", "data": {}, "game": {}, "optimizers": {}}
    files.save({**state, "progress": {"step": 1}}, 1, keep=1)
    with pytest.raises(OSError, match="No space left"):
        files.save({**state, "progress": {"step": 2}, "more": torch.zeros(2**22)}, 2, keep=1)
    assert [file.name for file in files.path.iterdir()] == ["step_00000001.pt"]
    assert load_checkpoint(files.of_step(1))["progress"] == {"step": 1}


def test_no_line_is_there_by_halves(disk: Path) -> None:
    numbers = RunFolder(disk).numbers
    numbers.open(0)
    assert numbers.add({"x": 1.0}, 1)
    fill(disk)
    fits = [numbers.add({"x": 2.0}, step) for step in range(2, 400)]
    assert fits == sorted(fits, reverse=True), "what has room already takes some"
    assert not fits[-1]
    for line in numbers.file.read_text().splitlines():
        json.loads(line)
    (disk / "others").unlink()
    assert numbers.add({"x": 3.0}, 400)
    assert [line["step"] for line in numbers.read()] == list(range(1, 401))


def test_packing_says_it_and_leaves_nothing(disk: Path, tmp_path: Path) -> None:
    """Without room taken beforehand the system would end the process by SIGBUS."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(60):
        Image.fromarray(np.full((8, 8, 3), k, np.uint8)).save(folder / f"{k}.png")
    for source in (ImageFolder(str(folder), 256), Digits(96)):
        with pytest.raises(UserError, match="packing the data needs more room than"):
            source.open(DataContext(tmp_path, CPU, cache=disk))
        assert not list(disk.iterdir())


def test_tensorboard_goes_on_when_there_is_room(disk: Path) -> None:
    values, said = {f"loss/{k:03}": float(k) for k in range(200)}, list[str]()
    with Recorder(RunFolder(disk), say=said.append) as recorder:
        for step in (1, 2):
            recorder.numbers(values, step)
        recorder.mark()
        for step, room in ((3, 0), (4, 0), (5, 2**18)):
            fill(disk)
            os.truncate(disk / "others", (disk / "others").stat().st_size - room)
            recorder.numbers(values, step)
            recorder.mark()
        assert any("log.sinks: tensorboard failed" in line for line in said)
        (disk / "others").unlink()
        recorder.numbers(values, 6)
        recorder.mark()
        assert said[-1] == "log.sinks: tensorboard goes on; pictures that it lacks are in samples/"
        recorder.numbers(values, 7)
    assert len(said) == 3, said
    shown = events(disk)
    assert len(shown) == 200
    for k, tag in enumerate(sorted(shown)):
        assert shown[tag] == [(step, float(k)) for step in range(1, 8)], "none is lacking, and none is twice"


def test_where_nothing_can_be_written_is_said_first(gantrain: Command, tmp_path: Path) -> None:
    folder = tmp_path / "read"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root mounts file systems")
    try:
        done = gantrain(*SHORT, f"outputs_dir={folder}")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    assert (done.returncode, "is no folder that can be written to, set outputs_dir=" in done.stderr) == (2, True)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert gantrain(*SHORT, "outputs_dir=gone").returncode == 2


@pytest.mark.parametrize("many", [[], ["-m", "seed=0,1"]])
def test_where_there_is_no_room_from_the_start_one_line_says_so(gantrain: Command, disk: Path, many: list[str]) -> None:
    fill(disk)
    done = gantrain(*SHORT, *many)
    assert done.returncode == 1
    assert "there is no room on the disk" in done.stderr.splitlines()[0]
