"""A run in a process of its own that is killed, and what must be the same of it and of one that was not."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from conftest import only_run, same
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gantrain.cli import main
from gantrain.commands import report as reports
from gantrain.runs import load_checkpoint

CLOCKS = ("speed/", "memory/")
"""Numbers of the machine and not of the run."""


def killed_at(
    name: str, number: int, when: str, *words: str, cwd: Path, signals: Sequence[int] = (signal.SIGKILL,)
) -> int:
    """Runs the command in a copy of this process, where torch is loaded already; the exit code.

    These signals come just before or after the file of some name takes its place for the so manieth time.
    """
    pid = forked(*words, cwd=cwd, prepare=lambda: _kill_at(name, number, when, signals))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def forked(*words: str, cwd: Path, prepare: Callable[[], object] = lambda: None) -> int:
    """The number of a process that runs the command and ends with its exit code."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.chdir(cwd)
        with open("said", "a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = open(1, "w"), open(2, "w")  # noqa: SIM115  not those of the test
        reports.write_run_report = lambda *_: None  # it takes longer than the run
        prepare()
        code = main(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _kill_at(name: str, number: int, when: str, signals: Sequence[int]) -> None:
    replace, left = Path.replace, [number]

    def replaced(file: Path, target: Path) -> Path:
        left[0] -= target.name.endswith(name)
        hit = target.name.endswith(name) and left[0] == -1
        found = replace(file, target) if when == "after" else target
        if hit:
            _send(signals)
        return replace(file, target) if when == "before" else found

    Path.replace = replaced  # type: ignore[assignment,method-assign]


def _send(signals: Sequence[int]) -> None:
    """Each of them, whatever those before it have raised."""
    if signals:
        try:
            os.kill(os.getpid(), signals[0])
        finally:
            _send(signals[1:])


def killed_after(seconds: float, *words: str, cwd: Path) -> int:
    """The exit code of a run that is killed so long after its start, unless it ends before."""
    pid, deadline = forked(*words, cwd=cwd), time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, code = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(code)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_below(folder: Path) -> Path | None:
    """The run's folder, once it has its config."""
    return only_run(folder) if any(folder.rglob("config.yaml")) else None


def numbers(run: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{tag: value for tag, value in line.items() if not tag.startswith(CLOCKS)} for line in lines]


def events(run: Path) -> dict[str, list[Any]]:
    """What TensorBoard shows, by tag: each scalar with its step, each picture with its step and bytes."""
    board = EventAccumulator(str(run), {"scalars": 0, "images": 0, "tensors": 0})
    board.Reload()
    tags = board.Tags()
    found: dict[str, list[Any]] = {}
    for tag in tags["scalars"]:
        if not tag.startswith(CLOCKS):
            found[tag] = [(event.step, event.value) for event in board.Scalars(tag)]
    for tag in tags["images"]:
        found[tag] = [(event.step, event.encoded_image_string) for event in board.Images(tag)]
    return found


def pictures(run: Path) -> dict[str, bytes]:
    return {file.name: np.asarray(Image.open(file)).tobytes() for file in sorted((run / "samples").glob("*.png"))}


def state_of(file: Path) -> dict[str, Any]:
    """A checkpoint without clocks and lengths of files."""
    held = load_checkpoint(file)
    return {**{k: held[k] for k in ("game", "optimizers")}, "progress": {**held["progress"], "seconds": 0}}


def status_of(run: Path) -> str:
    return str(json.loads((run / "status.json").read_text())["status"])


def differences(a: Path, b: Path) -> list[str]:
    """In what two runs differ."""
    found = [
        what for what, of in {"numbers": numbers, "events": events, "pictures": pictures}.items() if of(a) != of(b)
    ]
    names = [sorted(file.name for file in (run / "checkpoints").iterdir()) for run in (a, b)]
    if names[0] != names[1]:
        found.append(f"checkpoints {names}")
    else:
        found += [name for name in names[0] if not same(*(state_of(r / "checkpoints" / name) for r in (a, b)))]
    return found + ([f"status {status_of(b)}"] if status_of(a) != status_of(b) else [])
