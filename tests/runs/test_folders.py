"""What stands in a run's folder may be damaged, or a stranger's."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from gantrain.errors import UserError
from gantrain.runs import RunFolder, Status, load_checkpoint


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"status": "running"}', '{"status": "running", "pid": "x"}'])
def test_a_damaged_status_stops_nobody(text: str, tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(text)
    status = RunFolder(tmp_path).status
    assert isinstance(status.read(), Status)
    status.refuse_if_running()


@pytest.mark.parametrize("pid", [-1, 0, 2**40])
def test_no_process_has_such_a_number(pid: int, tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(json.dumps({"status": "running", "pid": pid}))
    RunFolder(tmp_path).status.refuse_if_running()


@pytest.mark.parametrize("owner", ["mine", "another's"])
def test_a_run_that_lives_is_not_trained_twice(owner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever's it is: the system does not let one user signal another's process."""

    def kill(pid: int, number: int) -> None:
        if owner == "another's":
            raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    (tmp_path / "status.json").write_text(json.dumps({"status": "running", "pid": os.getpid() + 1}))
    with pytest.raises(UserError, match="is being trained by process"):
        RunFolder(tmp_path).status.refuse_if_running()


@pytest.mark.parametrize("lines", ['[1]\n{"a": 1}\n{"step": 3, "b": 2.0}\n{"step', '{"step": 3, "b": 2.0}\n'])
def test_numbers_of_odd_shape_are_left_out(lines: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(lines)
    assert RunFolder(tmp_path).numbers.read() == [{"step": 3, "b": 2.0}]
    (tmp_path / "metrics.jsonl").write_bytes(b"\xff\xfe")
    assert RunFolder(tmp_path).numbers.read() == []


@pytest.mark.parametrize("state", [{"format": 2}, {"format": 1, "config": ""}, [1], "text"])
def test_a_checkpoint_without_its_parts_is_none(state: Any, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "step_00000001.pt")
    with pytest.raises(UserError, match="no checkpoint of this version"):
        load_checkpoint(tmp_path / "step_00000001.pt")


@pytest.mark.parametrize("held", [b"", b"root:x:0:0\n", pickle.dumps({"format": 2}, protocol=2), bytes(range(256))])
def test_whatever_else_is_no_checkpoint(held: bytes, tmp_path: Path) -> None:
    (tmp_path / "step_00000001.pt").write_bytes(held)
    with pytest.raises(UserError, match="no checkpoint of"):
        load_checkpoint(tmp_path / "step_00000001.pt")


def test_what_a_killed_run_was_writing_goes_away(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in (".step_00000002.pt.0a1b2c3d.part", "step_00000001.pt", "notes.txt"):
        (folder / name).write_text("half")
    RunFolder(tmp_path).checkpoints.make()
    assert {file.name for file in folder.iterdir()} == {"step_00000001.pt", "notes.txt"}
