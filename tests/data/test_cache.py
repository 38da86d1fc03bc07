"""What lies in the cache, what is removed from it and what never is; and how much memory data may take."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU
from PIL import Image

from gantrain.data import DataContext, Digits, ImageFolder, cache
from gantrain.data.memory import free_memory

DAY = 24 * 3600


def context(tmp_path: Path) -> DataContext:
    return DataContext(tmp_path, CPU, cache=tmp_path / "cache")


def pictures(folder: Path, brightness: int = 0, seconds: int = 0) -> str:
    """A folder of one picture, whose file is as large whatever is in it, last changed at such a time."""
    folder.mkdir(exist_ok=True)
    Image.new("L", (8, 8), brightness).save(folder / "a.bmp")
    os.utime(folder / "a.bmp", (seconds, seconds))
    return str(folder)


def packs(tmp_path: Path) -> set[str]:
    return {entry.name for entry in (tmp_path / "cache").iterdir()}


def test_a_file_that_changed_is_read_again_though_it_is_as_large(tmp_path: Path) -> None:
    for brightness, seconds in ((0, 1000), (255, 1001)):
        path = pictures(tmp_path / "pictures", brightness, seconds)
        real = ImageFolder(path, 8, 1).open(context(tmp_path)).draw(0, 1)["real"]
        assert (real == brightness / 127.5 - 1).all()


def test_the_pack_of_former_files_goes(tmp_path: Path) -> None:
    first = pictures(tmp_path / "first")
    ImageFolder(first, 8, 1).open(context(tmp_path))
    former = packs(tmp_path)
    for source in (ImageFolder(first, 16, 1), ImageFolder(pictures(tmp_path / "second"), 8, 1), Digits(16)):
        source.open(context(tmp_path))
    others = packs(tmp_path) - former
    assert (len(former), len(others)) == (1, 3)
    pictures(tmp_path / "first", 9, 2000)
    ImageFolder(first, 8, 1).open(context(tmp_path))
    assert not packs(tmp_path) & former
    assert packs(tmp_path) >= others, "another size, another folder and another set stay"
    assert len(packs(tmp_path)) == 4


def test_one_folder_is_one_set_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path / "first")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "first")
    for name in ("first", "./first", str(tmp_path / "first"), "link"):
        ImageFolder(name, 8, 1).open(context(tmp_path))
    assert len(packs(tmp_path)) == 1


def test_the_cache_is_bounded_and_the_longest_unused_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {}
    for k, size in enumerate((8, 9, 10)):
        before = packs(tmp_path) if k else set()
        Digits(size).open(context(tmp_path))
        names[size] = (packs(tmp_path) - before).pop()
        used = time.time() - (10 - k) * DAY
        os.utime(tmp_path / "cache" / names[size] / "facts.json", (used, used))
    Digits(8).open(context(tmp_path))  # it was packed first and is used last
    total = sum(file.stat().st_size for file in (tmp_path / "cache").rglob("*.*") if file.is_file())
    monkeypatch.setattr(cache, "LIMIT", total)
    Digits(11).open(context(tmp_path))
    assert names[8] in packs(tmp_path)
    assert names[9] not in packs(tmp_path)


def test_nothing_foreign_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 0)
    Digits(8).open(context(tmp_path))
    kept = (tmp_path / "cache" / packs(tmp_path).pop()).rename(tmp_path / "kept")
    (tmp_path / "cache" / kept.name).symlink_to(kept)
    for name in ("thesis", "digits-0123456789abcdef", ".digits-0123456789abcdef.7"):
        (tmp_path / "cache" / name).mkdir()
        (tmp_path / "cache" / name / "notes.txt").write_text("mine")
        os.utime(tmp_path / "cache" / name / "notes.txt", (0, 0))
        os.utime(tmp_path / "cache" / name, (0, 0))
    (tmp_path / "cache" / "table.npy").write_text("mine")
    Digits(9).open(context(tmp_path))
    own = next(n for n in packs(tmp_path) if n.startswith("digits-") and (tmp_path / "cache" / n / "real.npy").exists())
    (tmp_path / "cache" / own / "notes.txt").write_text("mine")
    there = {str(entry.relative_to(tmp_path)) for entry in tmp_path.rglob("*")}
    Digits(10).open(context(tmp_path))
    assert {str(entry.relative_to(tmp_path)) for entry in tmp_path.rglob("*")} >= there


def test_a_pack_that_a_killed_process_left_goes(tmp_path: Path) -> None:
    for name, age in ((".digits-0123456789abcdef.7", 2 * DAY), (".digits-0123456789abcdef.8", 60)):
        work = tmp_path / "cache" / name
        work.mkdir(parents=True)
        (work / "all.npy.part").write_bytes(b"half")
        for entry in (work / "all.npy.part", work):
            os.utime(entry, (time.time() - age,) * 2)
    Digits(8).open(context(tmp_path))
    assert ".digits-0123456789abcdef.7" not in packs(tmp_path)
    assert ".digits-0123456789abcdef.8" in packs(tmp_path), "another process may still be at it"


def machine(root: Path, files: dict[str, str]) -> int:
    """The free memory of a machine with 16 GiB free and these files."""
    for name, content in {"proc/meminfo": f"MemTotal: 1 kB\nMemAvailable: {2**24} kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return free_memory(torch.device("cpu"), root)


def test_without_limits_the_machine_counts(tmp_path: Path) -> None:
    assert machine(tmp_path, {}) == 2**34
    unlimited = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}
    assert machine(tmp_path, {**unlimited, "sys/fs/cgroup/memory.current": "5\n"}) == 2**34


def test_a_limit_of_version_2_counts(tmp_path: Path) -> None:
    """Of files that are held without being used, the system gives back what is asked for."""
    group = "sys/fs/cgroup/user/job"
    files = {
        "proc/self/cgroup": "0::/user/job\n",
        f"{group}/memory.max": "max\n",
        f"{group}/memory.current": "900\n",
        f"{group}/memory.stat": "anon 1\n",
        "sys/fs/cgroup/user/memory.max": "1000\n",
        "sys/fs/cgroup/user/memory.current": "700\n",
        "sys/fs/cgroup/user/memory.stat": "anon 600\ninactive_file 100\n",
    }
    assert machine(tmp_path, files) == 400


def test_a_limit_of_version_1_counts_inside_a_container_too(tmp_path: Path) -> None:
    """There the path is the one outside, and the limit lies at the top."""
    files = {
        "proc/self/cgroup": "5:cpu:/docker/a:b\n4:memory:/docker/a:b\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "700\n",
        "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 50\n",
    }
    assert machine(tmp_path, files) == 350


def test_no_room_is_none(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "10\n", "sys/fs/cgroup/memory.current": "20\n"}
    assert machine(tmp_path, {**files, "sys/fs/cgroup/memory.stat": "anon 20\n"}) == 0


def test_the_budget_is_half_of_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = np.load(next(_packed(tmp_path))).nbytes + 1797 * 8
    for free, kind in ((2 * size, "DeviceBatches"), (2 * size - 2, "StreamedBatches")):
        monkeypatch.setattr("gantrain.data.source.free_memory", lambda device, free=free: free)
        batches = Digits(8).open(context(tmp_path))
        assert type(batches).__name__ == kind
        batches.close()


def _packed(tmp_path: Path):  # type: ignore[no-untyped-def]
    Digits(8).open(context(tmp_path))
    return (tmp_path / "cache").rglob("real.npy")


def test_who_comes_second_waits_for_the_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed, source = [], ImageFolder(pictures(tmp_path / "pictures"), 8, 1)
    pack = ImageFolder.pack

    def slowly(self: ImageFolder, *given: object) -> dict[str, np.ndarray]:
        packed.append(1)
        time.sleep(0.2)  # the others ask meanwhile
        return pack(self, *given)

    monkeypatch.setattr(ImageFolder, "pack", slowly)
    with ThreadPoolExecutor(3) as pool:  # a lock is of an open file: threads stand for processes
        drawn = list(pool.map(lambda _: source.open(context(tmp_path)).draw(0, 1)["real"], range(3)))
    assert len(packed) == 1
    assert all(torch.equal(real, drawn[0]) for real in drawn)


def test_what_was_packed_before_is_of_the_same_folder(tmp_path: Path) -> None:
    first, second = pictures(tmp_path / "first"), pictures(tmp_path / "second")
    said: list[str] = []
    for path, size in ((first, 8), (second, 8), (first, 9)):
        ImageFolder(path, size, 1).open(replace(context(tmp_path), say=said.append))
    packing = [line for line in said if line.startswith("data: packing")]
    once = "data: packing image_folder once"
    assert packing == [once, once, "data: packing image_folder anew: other files or settings than before"]
