"""A checkpoint that is not as it was written is never used: skipped where a run goes on, refused where it was named."""

from __future__ import annotations

import errno
import io
import random
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Command, lines_of, only_run, same

from gantrain.errors import Stopped, UserError
from gantrain.runs import CheckpointFiles, load_checkpoint
from gantrain.runs.checksums import save_with_checksum

pytestmark = pytest.mark.usefixtures("plain_pictures")

SHORT = ["dataset=ring8", "trainer.batch_size=8", "trainer.steps=6", "checkpoint.every=2", "metrics.use=[]"]
SHORT += ["log.every=2", "log.samples_every=2", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]"]
STATE = {"config": "seed: 0", "data": {}, "game": {"w": torch.arange(3000.0)}, "optimizers": {}}


def saved(folder: Path, *steps: int) -> CheckpointFiles:
    files = CheckpointFiles(folder / "checkpoints")
    files.make()
    for step in steps:
        files.save({**STATE, "progress": {"step": step}}, step, keep=9)
    return files


def flip(file: Path, bit: int) -> None:
    held = bytearray(file.read_bytes())
    held[bit // 8] ^= 1 << bit % 8
    file.write_bytes(held)


def test_whichever_bit_flips_is_found(tmp_path: Path) -> None:
    """Also those of names, times and lengths in the archive, and of the checksum itself."""
    file = saved(tmp_path, 1).of_step(1)
    whole, chosen = file.read_bytes(), random.Random(0)
    ends = range(8 * (len(whole) - 100), 8 * len(whole))
    for bit in [*chosen.sample(range(8 * len(whole)), 300), *chosen.sample(ends, 100)]:
        flip(file, bit)
        with pytest.raises(UserError, match="is damaged or no checkpoint"):
            load_checkpoint(file)
        file.write_bytes(whole)
    assert load_checkpoint(file)["progress"] == {"step": 1}


def test_blocks_of_garbage_and_ends_that_are_missing_are_found(tmp_path: Path) -> None:
    file = saved(tmp_path, 1).of_step(1)
    whole, chosen = file.read_bytes(), random.Random(1)
    for _ in range(40):
        start = chosen.randrange(len(whole) - 512)
        garbage = whole[:start] + chosen.randbytes(512) + whole[start + 512 :]
        for held in (garbage, whole[:start], whole + b"more", b""):
            file.write_bytes(held)
            with pytest.raises(UserError, match="is damaged or no checkpoint"):
                load_checkpoint(file)


def test_a_checkpoint_of_before_has_weaker_sums_which_count(tmp_path: Path) -> None:
    torch.save({**STATE, "format": 2, "progress": {"step": 1}}, tmp_path / "old.pt")
    assert torch.equal(load_checkpoint(tmp_path / "old.pt")["game"]["w"], STATE["game"]["w"])  # type: ignore[index]
    with zipfile.ZipFile(tmp_path / "old.pt") as archive:
        place = max(archive.infolist(), key=lambda member: member.file_size).header_offset
    flip(tmp_path / "old.pt", 8 * (place + 5000))
    with pytest.raises(UserError, match="is damaged"):
        load_checkpoint(tmp_path / "old.pt")


def test_the_last_that_is_whole_is_found_and_others_are_named(tmp_path: Path) -> None:
    files, said = saved(tmp_path, 1, 2, 3), list[str]()
    files.mark_best(files.of_step(1))
    files.of_step(3).write_bytes(b"")
    torch.save({"format": 1}, files.of_step(2))
    assert files.load_last(said.append, set_aside=False)["progress"] == {"step": 1}
    assert ["step_00000003.pt is damaged" in said[0], "step_00000002.pt is no checkpoint of this" in said[1]] == [1, 1]
    whole = files.of_step(1).read_bytes()
    files.of_step(1).write_bytes(b"x")
    assert files.load_last(said.append, set_aside=False)["progress"] == {"step": 1}, "best.pt is better than nothing"
    files.best.rename(tmp_path / "best.pt")
    with pytest.raises(UserError, match=r"has no checkpoint that is whole \(.*step_00000003.pt is damaged"):
        files.load_last(said.append)
    assert len(files.by_step()) == 3, "what is there may be mended"
    files.best.write_bytes(whole)
    files.load_last(said.append)
    assert not files.by_step(), "the one of the step of best.pt neither"
    assert len(list(files.path.glob("damaged_*"))) == 3, "nothing is thrown away"


def test_steps_of_any_length_are_in_order(tmp_path: Path) -> None:
    files = saved(tmp_path, 99_999_998, 99_999_999, 100_000_000)
    assert files.last_step() == 100_000_000
    files.save(load_checkpoint(files.of_step(99_999_999)), 100_000_001, keep=2)
    assert [file.stem for file in files.by_step()] == ["step_100000000", "step_100000001"]


def test_a_run_goes_on_from_the_last_that_is_whole(gantrain: Command, tmp_path: Path) -> None:
    for name in ("straight", "damaged"):
        assert gantrain(*SHORT, "checkpoint.keep=2", f"outputs_dir={name}").returncode == 0
    straight, run = only_run(tmp_path / "straight"), only_run(tmp_path / "damaged")
    last = run / "checkpoints" / "step_00000006.pt"
    flip(last, 8 * 3000)
    named = gantrain("sample", f"run={run}", "n=4")
    assert (named.returncode, "step_00000006.pt is damaged" in named.stderr) == (2, True)
    by_file = gantrain(f"run={last}")
    assert (by_file.returncode, "step_00000006.pt is damaged" in by_file.stderr) == (2, True)
    (run / "status.json").unlink()  # else it is finished, and over
    done = gantrain(f"run={run}")
    assert done.returncode == 0, done.stderr
    assert "skipped: " in done.stdout
    assert "step_00000006.pt is damaged" in done.stdout
    assert "going on from step 4" in done.stdout
    assert same(*(load_checkpoint(r / "checkpoints" / last.name)["game"] for r in (straight, run)))
    assert [line["step"] for line in lines_of(run / "metrics.jsonl") if "lr/generator" in line] == [2, 4, 6]
    assert (run / "checkpoints" / "damaged_step_00000006.pt").is_file()


def test_a_run_that_saved_nothing_yet_begins_anew(gantrain: Command, tmp_path: Path) -> None:
    """As one that was killed before its first checkpoint."""
    for name in ("straight", "killed"):
        assert gantrain(*SHORT, f"outputs_dir={name}").returncode == 0
    straight, run = only_run(tmp_path / "straight"), only_run(tmp_path / "killed")
    for file in (run / "checkpoints").iterdir():
        file.unlink()
    done = gantrain(f"run={run}")
    assert (done.returncode, "beginning anew" in done.stdout) == (0, True), done.stderr
    assert same(*(load_checkpoint(r / "checkpoints" / "step_00000006.pt")["game"] for r in (straight, run)))


def test_a_fork_that_was_killed_at_once_goes_on_from_where_it_began(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*SHORT, "checkpoint.keep=9").returncode == 0
    run = only_run(tmp_path)
    assert gantrain(f"run={run / 'checkpoints' / 'step_00000002.pt'}", "checkpoint.every=100").returncode == 0
    (fork,) = [file.parent for file in tmp_path.rglob("config.yaml") if file.parent != run]
    (fork / "checkpoints" / "step_00000006.pt").unlink()
    (fork / "status.json").unlink()
    done = gantrain(f"run={fork}")
    assert (done.returncode, "going on from step 2" in done.stdout) == (0, True), done.stderr


def test_a_signal_while_saving_stays_one(tmp_path: Path) -> None:
    """Though torch says of whatever its file raises that it could not write."""

    class Interrupted(io.BytesIO):
        written = 0

        def write(self, part: Any) -> int:
            self.written += 1
            if self.written == 5:
                raise Stopped(signal.SIGTERM)
            return super().write(part)

    with pytest.raises(Stopped):
        save_with_checksum({"a": torch.zeros(9999), "b": torch.zeros(9999)}, Interrupted())


def test_a_disk_that_cannot_be_read_now_is_no_damage(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    assert gantrain(*SHORT).returncode == 0
    run = only_run(tmp_path)
    before = sorted(file.name for file in (run / "checkpoints").iterdir())
    with monkeypatch.context() as patched:
        patched.setattr("gantrain.runs.checkpoints.verify", failing)
        assert gantrain(f"run={run}", "trainer.steps=99").returncode == 1
    assert sorted(file.name for file in (run / "checkpoints").iterdir()) == before
