"""gantrain ps tells how each run below a folder stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Command

from gantrain.runs import RunFolder


def test_each_run_has_a_line(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends, one that lives, one that was killed, and two of another computer."""
    runs = {name: RunFolder(tmp_path / "outputs" / name) for name in ("a/1", "a/2", "b/1", "b/2", "b/3", "b/4")}
    for run in runs.values():
        run.path.mkdir(parents=True)
        run.write_config("seed: 0\n")
        if run.path.name != "4":
            run.status.begin("gantrain", "cpu")
    runs["a/1"].status.end("finished")
    runs["a/2"].status.end("failed", "MemoryError: out of\nmemory")
    runs["a/2"].numbers.open(0)
    runs["a/2"].numbers.add({"x": 1.0}, 7)
    for name, heartbeat in {"b/2": "2020-01-01T00:00:00+00:00", "b/3": "2120-01-01T00:00:00+00:00"}.items():
        said = json.loads(runs[name].status.file.read_text())
        runs[name].status.file.write_text(json.dumps({**said, "host": "elsewhere", "heartbeat": heartbeat}))
    with runs["b/1"].status.owned():
        lines = gantrain("ps").stdout.splitlines()
        only = gantrain("ps", "outputs/a/2").stdout
    found = {line.split()[0]: line.split()[1:3] for line in lines[1:7]}
    assert found["a/1"][0] == "finished"
    assert found["a/2"] == ["failed", "7"]
    assert [found[name][0] for name in ("b/1", "b/2", "b/3", "b/4")] == ["running", "died", "running", "not"]
    assert lines[7:] == ["failed: a/2: MemoryError: out of memory"]
    assert "outputs/a/2" in only
    with runs["b/1"].status.lock.hold(AssertionError):  # type: ignore[arg-type]
        pass
    assert {line.split()[0]: line.split()[1] for line in gantrain("ps").stdout.splitlines()[1:7]}["b/1"] == "died"


def test_what_is_no_folder_of_runs_is_said(gantrain: Command, tmp_path: Path) -> None:
    for words, said in ((["ps"], "there is no folder outputs"), (["ps", "."], "holds no run"), (["ps", "a", "b"], "b")):
        done = gantrain(*words)
        assert (done.returncode, said in done.stderr) == (2, True)
    assert "died" in gantrain("ps", "--help").stdout
