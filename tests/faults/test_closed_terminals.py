"""A terminal that is closed, a reader that is gone, and one signal for several runs: all that was done is saved."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import only_run
from killing import forked, run_below

from gantrain.runs import RunFolder, SweepFolder

LONG = [
    "dataset=ring8",
    "trainer.batch_size=8",
    "metrics.use=[]",
    "log.every=1",
    "checkpoint.every=100000",
    "log.sinks=[]",
]


def wait_until(is_so: Callable[[], object], pid: int) -> None:
    deadline = time.monotonic() + 240
    while not is_so():
        assert time.monotonic() < deadline
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), "it has ended"


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def logs(run: Path | None) -> bool:
    return run is not None and RunFolder(run).numbers.last_step() is not None


def speaks_to(number: int) -> None:
    for own in (1, 2):
        os.dup2(number, own)
    sys.stdout, sys.stderr = (open(own, "w", closefd=False) for own in (1, 2))  # noqa: SIM115


def test_a_closed_terminal_stops_a_run_that_saves(tmp_path: Path) -> None:
    own, its = os.openpty()

    def on_terminal() -> None:
        os.close(own)
        speaks_to(its)

    pid = forked(*LONG, "trainer.steps=1000000", cwd=tmp_path, prepare=on_terminal)
    os.close(its)
    wait_until(lambda: logs(run_below(tmp_path)), pid)
    os.close(own)  # what is written now fails
    os.kill(pid, signal.SIGHUP)
    assert exit_code(pid) == 129
    run = RunFolder(only_run(tmp_path))
    assert (run.status.read().status, run.status.read().reason) == ("stopped", "SIGHUP received")
    assert run.checkpoints.last_step() == run.numbers.last_step()


def test_a_reader_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    read, write = os.pipe()

    def without_reader() -> None:
        os.close(read)
        speaks_to(write)

    pid = forked(*LONG, "trainer.steps=40", cwd=tmp_path, prepare=without_reader)
    os.close(write)
    os.close(read)
    assert exit_code(pid) == 0
    run = RunFolder(only_run(tmp_path))
    assert (run.status.read().status, run.checkpoints.last_step()) == ("finished", 40)


def test_what_a_terminal_cannot_show_ends_nothing(tmp_path: Path) -> None:
    def in_ascii() -> None:
        sys.stdout.reconfigure(encoding="ascii", errors="strict")  # type: ignore[union-attr]

    assert exit_code(forked(*LONG, "trainer.steps=2", cwd=tmp_path, prepare=in_ascii)) == 0
    assert "trainer.steps=\\u2026" in (tmp_path / "said").read_text(), "an ellipsis"


def test_all_seeds_save_by_one_signal(tmp_path: Path) -> None:
    words = [*LONG, "trainer.steps=1000000", "trainer.replicas=3", "outputs_dir=it"]
    pid = forked(*words, cwd=tmp_path)

    def jobs() -> list[RunFolder]:
        return [job for folder in tmp_path.glob("it/sweeps/*/*") for job in SweepFolder(folder).jobs()]

    wait_until(lambda: len(jobs()) == 3 and all(job.numbers.last_step() for job in jobs()), pid)
    os.kill(pid, signal.SIGTERM)
    assert exit_code(pid) == 143
    steps = {job.checkpoints.last_step() for job in jobs()}
    assert steps == {job.numbers.last_step() for job in jobs()}
    assert len(steps) == 1
    assert [json.loads(job.status.file.read_text())["status"] for job in jobs()] == ["stopped"] * 3


def test_a_cache_that_takes_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("GANTRAIN_CACHE", str(tmp_path / "cache"))
    assert exit_code(forked("dataset=digits", "trainer.steps=1", cwd=tmp_path)) == 2
    assert "cannot be written to" in (tmp_path / "said").read_text()
    assert "set GANTRAIN_CACHE to one that can" in (tmp_path / "said").read_text()
