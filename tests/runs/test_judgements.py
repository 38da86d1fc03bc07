"""protocols.json and evaluations.jsonl may be missing, damaged, or a stranger's."""

from __future__ import annotations

from pathlib import Path

import pytest

from gantrain.errors import UserError
from gantrain.runs import RunFolder


def test_protocols_of_other_tags_stay(tmp_path: Path) -> None:
    protocols = RunFolder(tmp_path).protocols
    protocols.add({"metrics/fid": {"samples": 10}})
    protocols.add({"metrics/kid": {"samples": 20}})
    protocols.add({"metrics/fid": {"samples": 30}})
    assert protocols.read() == {"metrics/fid": {"samples": 30}, "metrics/kid": {"samples": 20}}


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"metrics/fid": 3}', "\x00"])
def test_a_damaged_file_of_protocols_holds_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "protocols.json").write_text(text)
    assert RunFolder(tmp_path).protocols.read() == {}


def test_damaged_lines_of_evaluations_are_left_out(tmp_path: Path) -> None:
    evaluations = RunFolder(tmp_path).evaluations
    assert evaluations.read() == []
    evaluations.add(5, "step_5.pt", {"metrics/fid": 1.5}, {"metrics/fid": {"samples": 10}})
    with evaluations.file.open("a") as stream:
        stream.write('{"step": 6\n[]\n{"step": "x", "figures": {}}\n')
    evaluations.add(7, "step_7.pt", {}, {})
    assert [line["step"] for line in evaluations.read()] == [5, 7]
    assert evaluations.read()[0]["figures"] == {"metrics/fid": 1.5}


def test_what_is_no_finite_number_is_null(tmp_path: Path) -> None:
    evaluations = RunFolder(tmp_path).evaluations
    evaluations.add(5, "step_5.pt", {"metrics/fid": float("nan"), "metrics/kid": float("inf")}, {})
    assert "NaN" not in evaluations.file.read_text()
    assert evaluations.read()[0]["figures"] == {"metrics/fid": None, "metrics/kid": None}


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "else").write_text("kept")
    for name in ("protocols.json", "evaluations.jsonl"):
        (tmp_path / name).symlink_to(tmp_path / "else")
    folder = RunFolder(tmp_path)
    assert (folder.protocols.read(), folder.evaluations.read()) == ({}, [])
    folder.protocols.add({"metrics/fid": {}})
    with pytest.raises(UserError, match="is a link"):
        folder.evaluations.add(1, "x", {}, {})
    assert (tmp_path / "else").read_text() == "kept"
