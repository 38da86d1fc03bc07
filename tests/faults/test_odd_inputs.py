"""Pictures that are huge, names that command terminals, links in circles, and a machine that is out of memory."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, config, only_run
from PIL import Image

from gantrain.commands.memory_advice import OutOfMemory, is_out_of_memory, memory_advised, out_of_memory
from gantrain.data import pictures
from gantrain.data.fitting import Fitting
from gantrain.runs import RunFolder
from gantrain.training.rounds import Rounds
from gantrain.untrusted import printable_lines

pytestmark = pytest.mark.usefixtures("plain_pictures")

SHORT = ["trainer.steps=2", "trainer.batch_size=4", "model=mlp", "model.generator.hidden=[4]", "metrics.use=[]"]
SHORT += ["model.discriminator.hidden=[4]", "dataset.path=photos", "dataset.image_size=16", "tricks=[]"]


def blots(folder: Path, count: int) -> None:
    folder.mkdir()
    for k in range(count):
        noise = np.random.default_rng(k).integers(0, 256, (16, 16, 3)).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{k}.png")


def test_a_picture_of_169_megapixels_is_left_out_before_it_is_decoded(tmp_path: Path) -> None:
    """It is a file of half a MiB, and takes 2.8 GB where it is decoded."""
    Image.new("1", (13000, 13000)).save(tmp_path / "bomb.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="it has 169 megapixels, and 67 are read at most"):
        pictures.open_picture(tmp_path / "bomb.png", Fitting((16, 16)), 3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_large_ones_are_decoded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    held: list[bool] = []
    decode = pictures._decoded
    monkeypatch.setattr(
        pictures, "_decoded", lambda *given: (held.append(pictures.ONE_AT_A_TIME.locked()), decode(*given))[1]
    )
    for many in (400, 399):
        monkeypatch.setattr(pictures, "MANY_PIXELS", many)
        pictures.open_picture(tmp_path / "a.png", Fitting((16, 16)), 3)
    assert held == [False, True]


def test_a_folder_of_odd_things_trains(gantrain: Command, tmp_path: Path) -> None:
    """Nothing that is printed or kept in the log commands a terminal."""
    blots(tmp_path / "photos", 12)
    odd = os.fsencode(tmp_path / "photos")
    for name in (b"/\xff\x1b]0;owned\x07.png", b"/empty.png", b"/\xe7\x8c\xab \x1b[2J.png"):
        with open(odd + name, "wb") as file:
            file.write(b"" if b"empty" in name else b"broken")
    (tmp_path / "photos" / "cut.png").write_bytes((tmp_path / "photos" / "3.png").read_bytes()[:60])
    (tmp_path / "photos" / "around").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "itself.png").symlink_to("itself.png")
    done = gantrain(*SHORT)
    assert done.returncode == 0, done.stderr
    log = (only_run(tmp_path) / "run.log").read_text()
    for text in (done.stdout, done.stderr, log):
        assert printable_lines(text) == text
    assert "skipped empty.png: it is empty" in done.stdout
    assert "4 of 16 pictures are broken and were skipped" in done.stdout


def test_a_message_commands_no_terminal(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain("run=\x1b[31mred\udcff")
    assert (done.returncode, "\\x1b[31mred\\udcff" in done.stderr, "\x1b" in done.stderr) == (2, True, False)
    assert printable_lines("a\n\tb ü 猫 \u202e\x9b") == "a\n\tb ü 猫 \\u202e\\x9b"


def test_out_of_memory_says_what_to_try(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of 8 GiB.")

    monkeypatch.setattr(Rounds, "play", fail)
    done = gantrain("dataset=ring8", "trainer.steps=2", "trainer.batch_size=64", "metrics.use=[]")
    assert done.returncode == 1
    assert "OutOfMemory: CUDA out of memory, with trainer.batch_size=64: start anew with trainer." in done.stderr
    assert "trainer.accumulate=2, which holds half as much at a time" in done.stderr
    assert "trainer.batch_size=32" in done.stderr
    said = RunFolder(only_run(tmp_path)).status.read()
    assert (said.status, "accumulate=2" in str(said.reason)) == ("failed", True)


def test_what_is_out_of_memory() -> None:
    cpu = RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried")
    assert is_out_of_memory(cpu)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    cfg = config("dataset=ring8", "trainer.batch_size=6", "trainer.accumulate=3")
    told = str(out_of_memory(MemoryError(), cfg))
    assert told.startswith("out of memory, with trainer.batch_size=6 in trainer.accumulate=3 parts: start anew with")
    assert "accumulate=6" not in told, "one sample at a time is none that batch norm could use"
    told = str(out_of_memory(MemoryError(), config("dataset=ring8"), at_once=10))
    assert "start anew with trainer.replicas=5; trainer.batch_size=" in told
    assert "accumulate" not in told, "which runs that train at once refuse"
    small = config("dataset=ring8")
    with pytest.raises(OutOfMemory, match="start anew with") as first, memory_advised(small):
        raise torch.OutOfMemoryError("CUDA out of memory.")
    with pytest.raises(OutOfMemory) as again, memory_advised(small):
        raise first.value
    assert again.value is first.value, "it is told once"
    with pytest.raises(KeyError), memory_advised(small):
        raise KeyError
