"""A pack that is not as it was written is made anew, and two who pack the same data share it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import CPU

from gantrain.data import DataContext, Digits, wholeness
from gantrain.errors import UserError


def opened(tmp_path: Path) -> tuple[np.ndarray, list[str]]:
    said: list[str] = []
    context = DataContext(tmp_path, CPU, cache=tmp_path / "cache", say=said.append)
    return np.array(Digits(16).fields(context)["real"]), said


def pack_of(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "cache").iterdir()
    return folder


DAMAGES = {
    "cut": lambda file: os.truncate(file, file.stat().st_size // 2),
    "empty": lambda file: os.truncate(file, 0),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"more"),
    "gone": lambda file: file.unlink(),
    "garbage": lambda file: file.write_bytes(random.Random(0).randbytes(file.stat().st_size)),
}


@pytest.mark.parametrize("name", ["real.npy", "label.npy", "sums.json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pack_is_made_anew(tmp_path: Path, name: str, damage: str) -> None:
    whole, _ = opened(tmp_path)
    DAMAGES[damage](pack_of(tmp_path) / name)
    again, said = opened(tmp_path)
    assert np.array_equal(whole, again)
    assert "is made anew" in said[0]
    assert not any("made anew" in line for line in opened(tmp_path)[1])


def test_any_bit_of_a_pack_counts(tmp_path: Path) -> None:
    """Of one that is not larger than what is looked at each time."""
    opened(tmp_path)
    chosen = random.Random(0)
    for _ in range(10):
        file = pack_of(tmp_path) / "real.npy"
        held = bytearray(file.read_bytes())
        held[chosen.randrange(len(held))] ^= 1 << chosen.randrange(8)
        file.write_bytes(held)
        assert wholeness.damage(pack_of(tmp_path)) == "real.npy has another checksum"
        opened(tmp_path)


def test_a_pack_of_an_earlier_version_is_made_anew(tmp_path: Path) -> None:
    opened(tmp_path)
    (pack_of(tmp_path) / "sums.json").unlink()
    assert "(of an earlier version, or not whole) and is made anew" in opened(tmp_path)[1][0]


def test_two_who_pack_at_once_share_one_pack(tmp_path: Path) -> None:
    children = []
    for k in range(3):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                real, said = opened(tmp_path)
                (tmp_path / f"said{k}").write_text("\n".join(said))
                code = 0 if len(real) == 1797 else 2
            finally:
                os._exit(code)
        children.append(pid)
    deadline = time.monotonic() + 120
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0, 0]
    assert time.monotonic() < deadline
    said = [(tmp_path / f"said{k}").read_text() for k in range(3)]
    assert sum("packing digits" in words for words in said) == 1
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [pack_of(tmp_path).name]


def test_a_damaged_pack_that_cannot_be_replaced_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path)
    os.truncate(pack_of(tmp_path) / "real.npy", 99)
    monkeypatch.setattr("gantrain.data.source.remove_pack", lambda folder: None)
    with pytest.raises(UserError, match="has another size\\) and cannot be replaced: remove it"):
        opened(tmp_path)
