"""How runs end: what is said and kept, also where something fails or is measured later."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, only_run

from gantrain.commands.exported import _figures
from gantrain.commands.probing import Probe
from gantrain.commands.report import bands_of
from gantrain.commands.verdict import verdict_lines
from gantrain.health import Verdict
from gantrain.runs import RunFolder
from gantrain.training.meter import Clock

pytestmark = pytest.mark.usefixtures("plain_pictures")

SHORT = ["dataset=ring8", "trainer.steps=4", "log.every=1", "checkpoint.every=2", "metrics.use=[]"]
MODES = ["metrics.use=[modes]", "metrics.known.modes.samples=100"]


def fail(*_: object, **__: object) -> Any:
    raise MemoryError("out of\nmemory")


def test_what_is_measured_later_counts_in_the_verdict_and_the_report(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*SHORT).returncode == 0
    folder = RunFolder(only_run(tmp_path))
    before = folder.status.read()
    assert before.verdict is not None
    assert "nothing measured" in before.verdict["sentence"]
    folder.status.judge(
        [{"name": "odd", "step": 2, "title": "odd", "evidence": "", "advice": "", "severity": "failure"}]
    )
    (folder.path / "status.json").write_text(
        json.dumps(json.loads(folder.status.file.read_text()) | {"heartbeat": "2020-01-01T00:00:00+00:00"})
    )
    early = gantrain("evaluate", f"run={folder}", "metrics=[modes]", "n=100", "checkpoint=2")
    assert "verdict" not in early.stdout, "it tells nothing of the run's end"
    assert "at step 2" not in early.stdout
    done = gantrain("evaluate", f"run={folder}", "metrics=[modes]", "n=100")
    assert done.returncode == 0, done.stderr
    assert "verdict it does not work: odd" in done.stdout, "what was found while it trained stays"
    after = folder.status.read()
    assert after.verdict is not None
    assert any("modes" in line for line in after.verdict["evidence"])
    assert [found["name"] for found in after.findings][-1:] == ["odd"]
    assert (after.status, after.heartbeat) == ("finished", "2020-01-01T00:00:00+00:00")
    assert "It does not work: odd" in folder.report.read_text()


def test_a_run_that_fails_says_so_at_its_end_and_why(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gantrain.metrics.modes.Modes.__call__", fail)
    done = gantrain(*SHORT, *MODES)
    assert done.returncode == 1
    assert "verdict it failed at step 4: OutOfMemory: out of memory" in done.stdout
    assert RunFolder(only_run(tmp_path)).status.read().status == "failed"


def test_a_verdict_that_fails_leaves_no_run_running(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gantrain.commands.train.say_verdict", fail)
    assert gantrain(*SHORT).returncode == 1
    assert RunFolder(only_run(tmp_path)).status.read().status == "finished"


def test_commands_that_are_told_can_be_typed(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain(*SHORT, "name=my run")
    folder = only_run(tmp_path).relative_to(tmp_path)
    told = [line.partition("gantrain ")[2] for line in done.stdout.splitlines() if line.startswith(("sample", "go on"))]
    assert [f"run={folder}" in shlex.split(line) for line in told] == [True, True]
    (_, line) = verdict_lines(Verdict("doubtful", "so", (), "go on: gantrain run=… trainer.steps=5"), "a b/c")
    assert "run=a b/c" in shlex.split(line)


def test_looking_is_no_training_at_the_first_step_either(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, seen, whole = [0], dict[int, int](), Clock.beside

    @contextmanager
    def beside(clock: Clock, evaluating: bool = False) -> Iterator[None]:
        inside[0] += 1
        with whole(clock, evaluating):
            yield
        inside[0] -= 1

    monkeypatch.setattr(Clock, "beside", beside)
    monkeypatch.setattr(Probe, "__call__", lambda self, step: seen.update({step: inside[0]}) or {})
    assert gantrain(*SHORT).returncode == 0
    assert seen == {0: 1, 4: 1}


def test_a_strangers_config_and_evaluations_are_no_obstacle(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_config("dataset: {side: left, _target_: x.Grid}\nloss: 3\nmodel: [1]\ntrainer: {steps: many}\n")
    assert bands_of(folder)("loss/nobody/total") is None
    for said in ("", ', "protocols": 3', ', "protocols": {"metrics/fid": 3}'):
        folder.evaluations.file.write_text(f'{{"step": 5, "figures": {{"metrics/fid": 1}}{said}}}\n')
        assert _figures(folder, 5, True) == {}


def test_a_command_that_is_advised_stands_in_one_line() -> None:
    folder = "/home/someone/" + "a-long-name/" * 8 + "2026-01-01"
    verdict = Verdict("working", "it works: " + "8 of 8 modes, " * 12, (), "it still improves; gantrain run=… n=5")
    lines = verdict_lines(verdict, folder)
    assert f"gantrain run={folder} n=5" in lines[-1]
    assert len(lines) > 3, "what is no command is wrapped"
