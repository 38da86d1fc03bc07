"""status.json says how a run stands, and since when, where and by which command."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import shlex
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Command, only_run

import gantrain as package
from gantrain.errors import UserError
from gantrain.runs import RunFolder, Status, status

pytestmark = pytest.mark.usefixtures("plain_pictures")

SHORT = ["dataset=ring8", "trainer.batch_size=8", "metrics.use=[]", "log.every=1", "name=it"]
SHORT += ["model.generator.hidden=[4]", "model.discriminator.hidden=[4]"]


class Clock:
    """Time that passes only when a test says so, from noon on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        monkeypatch.setattr(status.time, "monotonic", lambda: 1000 + self.seconds)
        monkeypatch.setattr(status, "_now", self.now)

    def now(self) -> str:
        return (datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)).isoformat(timespec="seconds")


def content(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "status.json").read_text())


def test_what_a_run_says_when_it_begins(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    RunFolder(tmp_path).status.begin("gantrain loss=hinge", "cpu, fp32, 1 thread")
    said = content(tmp_path)
    assert before <= datetime.fromisoformat(said.pop("started")) <= datetime.now(UTC)
    assert before <= datetime.fromisoformat(said.pop("heartbeat")) <= datetime.now(UTC)
    assert said == {
        "status": "running",
        "reason": None,
        "pid": os.getpid(),
        "host": platform.node(),
        "machine": "cpu, fp32, 1 thread",
        "versions": {
            "gantrain": package.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "command": "gantrain loss=hinge",
        "commands": ["gantrain loss=hinge"],
        "findings": [],
        "verdict": None,
    }


def test_a_heart_beats_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ten seconds, counted from the last: asked at each second from 0 to 35, at 10, 20 and 30."""
    clock = Clock(monkeypatch)
    file = RunFolder(tmp_path).status
    file.begin("gantrain", "cpu")
    written = []
    for second in range(36):
        clock.seconds = second
        before = os.stat(tmp_path / "status.json").st_ino
        file.beat()
        if os.stat(tmp_path / "status.json").st_ino != before:
            written.append((second, content(tmp_path)["heartbeat"]))
    assert written == [(second, f"2026-01-01T12:00:{second}+00:00") for second in (10, 20, 30)]
    assert content(tmp_path)["started"] == "2026-01-01T12:00:00+00:00"
    assert file.read().status == "running"


def test_a_heartbeat_waits_for_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What says how a run ended does, and a status that someone removed is written again."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    clock = Clock(monkeypatch)
    file = RunFolder(tmp_path).status
    file.begin("gantrain", "cpu")
    assert len(synced) == 1
    (tmp_path / "status.json").unlink()
    clock.seconds = 100
    file.beat()
    assert (len(synced), file.read().status) == (1, "running")
    file.end("finished")
    assert len(synced) == 2


def test_nothing_beats_that_was_not_begun(tmp_path: Path) -> None:
    RunFolder(tmp_path).status.beat()
    assert not list(tmp_path.iterdir())


def test_the_end_keeps_what_was_said_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the one who began it, and by one who only finds it."""
    clock = Clock(monkeypatch)
    folder = RunFolder(tmp_path)
    folder.status.begin("gantrain", "cpu")
    begun = content(tmp_path)
    clock.seconds = 3
    changes = {"status": "failed", "reason": "no", "heartbeat": "2026-01-01T12:00:03+00:00"}
    folder.status.end("failed", "no")
    assert content(tmp_path) == begun | changes
    clock.seconds = 4
    RunFolder(tmp_path).status.end("failed", "why")
    assert content(tmp_path) == begun | changes | {"reason": "why", "heartbeat": "2026-01-01T12:00:04+00:00"}


def test_a_status_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(json.dumps({"status": "stopped", "reason": "a signal", "pid": 7}))
    assert RunFolder(tmp_path).status.read() == Status("stopped", "a signal", 7)
    later = {"status": "finished", "pid": None, "versions": "2", "started": 3, "mood": "good"}
    (tmp_path / "status.json").write_text(json.dumps(later))
    assert RunFolder(tmp_path).status.read() == Status("finished"), "what is of another kind is not known"


def test_a_link_gives_way(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text(json.dumps({"status": "finished", "reason": "mine"}))
    (tmp_path / "status.json").symlink_to(tmp_path / "mine")
    file = RunFolder(tmp_path).status
    assert file.read() == Status()
    file.end("failed", "no")
    assert (file.read().status, file.read().reason, file.file.is_symlink()) == ("failed", "no", False)
    assert json.loads((tmp_path / "mine").read_text())["reason"] == "mine"


def test_a_run_says_by_which_line_it_was_begun(gantrain: Command, tmp_path: Path) -> None:
    """As a shell reads it, flags and order as they were typed; a run that goes on says its own line."""
    words = ["train", *SHORT, "trainer.steps=1", "outputs_dir=two words", "--config-name", "train"]
    assert gantrain(*words).returncode == 0
    run = only_run(tmp_path)
    said = content(run)
    assert said["status"] == "finished"
    assert shlex.split(said["command"]) == ["gantrain", *words]
    assert said["machine"].startswith("cpu, fp32")
    assert gantrain(f"run={run}", "trainer.steps=2").returncode == 0
    assert shlex.split(content(run)["command"]) == ["gantrain", f"run={run}", "trainer.steps=2"]


def test_the_heart_beats_while_something_takes_long(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluation that waits for it would wait for ever if no thread did it."""
    clock, heard = Clock(monkeypatch), list[str]()
    monkeypatch.setattr(status, "BEAT", 0.01)

    def evaluate(*_: object) -> dict[str, float]:
        run = only_run(tmp_path)
        clock.seconds = 100
        deadline = time.perf_counter() + 60
        while not content(run)["heartbeat"].startswith("2026-01-01T12:01:40"):
            assert time.perf_counter() < deadline
        heard.append(content(run)["status"])
        return {}

    monkeypatch.setattr("gantrain.commands.train.evaluate", evaluate)
    assert gantrain(*SHORT[:2], "metrics.use=[modes]", *SHORT[3:], "trainer.steps=1").returncode == 0
    assert heard == ["running"]


def test_what_died_is_told_from_what_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, here = Clock(monkeypatch), RunFolder(tmp_path).status
    seen = RunFolder(tmp_path).status
    with here.owned():
        here.begin("gantrain", "cpu")
        assert seen.standing() == "running"
        with (
            pytest.raises(UserError, match=f"is being trained by process {os.getpid()} on {platform.node()}"),
            seen.lock.hold(seen._refusal),
        ):
            pass
        seen.end("failed", "of another")
        assert seen.read().status == "running", "nobody else says how it ends"
    assert seen.standing() == "died", "as after kill -9: the system let go of the lock, though the number lives"
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    for seconds, stands in ((59, "running"), (61, "died")):
        monkeypatch.setattr(status, "_age", lambda moment, seconds=seconds: seconds)
        assert seen.standing() == stands, "from afar the heartbeat tells"
    assert clock.seconds == 0
    here.end("finished")
    assert seen.standing() == "finished"


def test_a_number_counts_on_its_own_computer_alone(tmp_path: Path) -> None:
    """In containers every process has the number 1."""
    here = RunFolder(tmp_path).status
    here.begin("gantrain", "cpu")
    held = content(tmp_path)
    (tmp_path / "status.json").write_text(json.dumps({**held, "host": "elsewhere"}))
    with pytest.raises(UserError, match="on elsewhere"), RunFolder(tmp_path).status.owned():
        pass


def test_a_full_disk_leaves_a_status_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = RunFolder(tmp_path).status
    file.begin("gantrain", "cpu")
    monkeypatch.setattr(status, "write_text", full)
    file.judge([{"name": "x", "evidence": "e" * 2**20}])
    file.end("failed", "full")
    assert (file.read().status, file.read().reason) == ("failed", "full")


def test_who_asks_whether_a_run_lives_misleads_nobody_who_asks_too(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with run.status.owned():
        run.status.begin("gantrain", "cpu")
    with open(run.status.lock.file) as asker:
        fcntl.flock(asker, fcntl.LOCK_SH)
        assert run.status.lock.is_held() is False
        assert run.status.standing() == "died"
        RunFolder(tmp_path).status.end("failed", "known")
    assert run.status.read().reason == "known"
