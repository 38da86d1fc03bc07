"""A stranger's run folder: no link in it leads anywhere, and no class that is not gantrain's own is built."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Command

from gantrain import files
from gantrain.cli import main
from gantrain.errors import UserError

pytestmark = pytest.mark.usefixtures("plain_pictures")

WORDS = ["dataset=ring8", "trainer.steps=2", "trainer.batch_size=8", "log.every=1", "metrics.use=[]"]
WORDS += ["model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "log.samples_every=1"]
FILES = ["metrics.jsonl", "metrics.part", "status.json", "status.part", "config.yaml", "run.log"]
FILES += ["checkpoints/step_00000002.pt", "checkpoints/step_00000004.part", "checkpoints/step_00000004.pt"]
FILES += ["samples/00000004.png", "samples/00000009.png", "samples/final.png", "samples/real.png"]
FILES += ["samples/training.gif", "samples/step2_n4_seed0.png"]
TOP = ["sweep.json", "multirun.yaml", "summary.csv"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    assert main([*WORDS, f"outputs_dir={folder}"]) == 0
    (run,) = folder.glob("*/*")
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run of one's own, to spoil."""
    return Path(shutil.copytree(trained, tmp_path / "outputs" / "ring" / "run"))


@pytest.mark.parametrize(("name", "link"), [*((name, os.symlink) for name in FILES), ("run.log", os.link)])
def test_a_file_that_is_a_link_leads_nowhere(
    gantrain: Command, tmp_path: Path, run: Path, name: str, link: Callable[[Path, Path], None]
) -> None:
    mine = tmp_path / "mine"
    if (run / name).is_file():  # what would be read makes sense
        mine.write_bytes((run / name).read_bytes())
        (run / name).unlink()
    else:
        mine.write_text("precious")
    before = mine.read_bytes()
    link(mine, run / name)
    sampled = "step2_" in name
    words = ["sample", f"run={run}", "n=4"] if sampled else [f"run={run}", "trainer.steps=4", "checkpoint.every=1"]
    done = gantrain(*words)
    assert done.returncode in (0, 2), done.stderr
    assert mine.read_bytes() == before


@pytest.mark.parametrize("name", ["samples", "checkpoints"])
def test_a_folder_that_is_a_link_leads_nowhere(gantrain: Command, tmp_path: Path, run: Path, name: str) -> None:
    photos = tmp_path / "photos"
    shutil.move(run / name, photos)
    (photos / "00000099.png").write_bytes(b"mine")
    before = sorted((file.name, file.stat().st_mtime_ns) for file in photos.iterdir())
    (run / name).symlink_to(photos)
    for words in ([f"run={run}", "trainer.steps=4"], ["sample", f"run={run}", "n=4"]):
        done = gantrain(*words)
        assert done.returncode == 2
        assert f"{name} is a link" in done.stderr
    assert sorted((file.name, file.stat().st_mtime_ns) for file in photos.iterdir()) == before


def test_a_run_folder_itself_may_be_reached_by_a_link(gantrain: Command, tmp_path: Path, run: Path) -> None:
    (tmp_path / "latest").symlink_to(run)
    assert gantrain("run=latest", "trainer.steps=3").returncode == 0
    assert (run / "checkpoints" / "step_00000003.pt").is_file()


@pytest.mark.parametrize(
    "name",
    [
        *("sweep.json", "multirun.yaml", "summary.csv", ".lock"),
        *("000", "000/job.json", "000/status.json", "000/.lock"),
    ],
)
def test_nothing_in_a_sweep_leads_anywhere(gantrain: Command, tmp_path: Path, name: str) -> None:
    assert gantrain(*WORDS, "-m", "seed=0").returncode == 0
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    mine = tmp_path / "mine"
    shutil.move(sweep / name, mine)
    (sweep / name).symlink_to(mine)
    inside = mine / "status.json" if mine.is_dir() else mine
    before = (inside.read_bytes(), inside.stat().st_mtime_ns)
    done = gantrain(f"run={sweep}")
    assert done.returncode in (0, 1, 2), done.stderr
    assert (inside.read_bytes(), inside.stat().st_mtime_ns) == before


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "f"
    files.write_text(file, "old")

    def fail() -> None:
        with files.replacing(file) as stream:
            stream.write(b"half")
            raise RuntimeError("full")

    with pytest.raises(RuntimeError, match="full"):
        fail()
    assert [f.name for f in tmp_path.iterdir()] == ["f"]
    assert files.read_text(file) == "old"
    os.mkfifo(tmp_path / "pipe")
    for open_it in (files.read_text, files.append, lambda pipe: files.write_text(pipe, "")):
        with pytest.raises((UserError, OSError)):
            open_it(tmp_path / "pipe")


def test_what_gantrain_imports_is_not_gantrains(gantrain: Command, tmp_path: Path) -> None:
    """A path of the user's, which could be read or written, is no part of gantrain though one of its modules has it."""
    done = gantrain("model._target_=gantrain.data.folders.Path")
    assert done.returncode == 2
    assert "Path is no class that a config may build" in done.stderr
    assert not list(tmp_path.iterdir())
