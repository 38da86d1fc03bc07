"""`gantrain sample` on real runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Command, only_run
from PIL import Image

SHORT = ["trainer.steps=6", "trainer.batch_size=8", "log.every=2", "log.samples_every=3"]
DCGAN = ["model=dcgan", "model.generator.width=8", "model.discriminator.width=8"]


def test_samples(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*SHORT, *DCGAN).returncode == 0
    run = only_run(tmp_path)
    made = [gantrain("sample", f"run={run}", "n=10", "format=npz", f"seed={s}", f"out={s}.npz") for s in (0, 0, 1)]
    assert all(m.returncode == 0 for m in made), made[0].stderr
    zero, one = (np.load(tmp_path / f"{s}.npz") for s in (0, 1))
    assert zero.files[0] == "samples"
    assert zero["samples"].shape == (10, 16, 16, 1)
    assert zero["samples"].dtype == np.uint8
    assert not np.array_equal(zero["samples"], one["samples"])
    raw = gantrain("sample", f"run={run}", "n=10", "format=npz", "ema=false", "out=raw.npz")
    assert raw.returncode == 0
    assert not np.array_equal(zero["samples"], np.load(tmp_path / "raw.npz")["samples"])
    file = run / "checkpoints" / "step_00000006.pt"
    alone = tmp_path / "alone.pt"
    alone.write_bytes(file.read_bytes())
    grid = gantrain("sample", f"run={alone}", "n=4", "out=grid.png")
    assert grid.returncode == 0, grid.stderr
    assert Image.open(tmp_path / "grid.png").width >= 300
    assert gantrain("sample", f"run={alone}", "n=4").returncode == 0
    assert (tmp_path / "samples" / "step6_n4_seed0.png").is_file()
    by_suffix = gantrain("sample", f"run={run}", "n=4", "out=by_suffix.npz")
    assert by_suffix.returncode == 0
    assert np.load(tmp_path / "by_suffix.npz")["samples"].shape[0] == 4
    for words, sentence in (
        (["n=0"], "n must be"),
        (["format=bmp"], "format is png, npz, gif, mp4, files"),
        (["checkpoint=9"], "has the steps 6"),
    ):
        refused = gantrain("sample", f"run={run}", *words)
        assert refused.returncode == 2
        assert sentence in refused.stderr


@pytest.mark.parametrize("dataset", ["ring8", "gaussian1d"])
def test_a_picture_of_numbers(gantrain: Command, tmp_path: Path, dataset: str) -> None:
    assert gantrain(f"dataset={dataset}", "trainer.steps=3").returncode == 0
    done = gantrain("sample", f"run={only_run(tmp_path)}", "n=50", "out=p.png")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert (tmp_path / "p.png").is_file()


def test_numbers_come_back_in_their_own_units(gantrain: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.random.default_rng(0).normal([100, -3, 0], [5, 0.1, 1], (400, 3)))
    done = gantrain("dataset=array", "dataset.path=t.npy", "trainer.steps=20")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert gantrain("sample", f"run={run}", "n=500", "format=npz", "out=s.npz").returncode == 0
    samples = np.load(tmp_path / "s.npz")["samples"]
    assert (samples.shape, samples.dtype) == ((500, 3), np.float32)
    assert 80 < samples[:, 0].mean() < 120


def test_the_game_says_which_words_it_knows(gantrain: Command, tmp_path: Path) -> None:
    """A word that is no setting of the command is asked of the game, one of a user's own game too."""
    assert gantrain("dataset=ring8", "trainer.steps=2").returncode == 0
    refused = gantrain("sample", f"run={only_run(tmp_path)}", "+direction=back")
    assert refused.returncode == 2
    assert "direction=… asks for what this run's game does not know" in refused.stderr
    slipped = gantrain("sample", f"run={only_run(tmp_path)}", "+sead=3")
    assert "sead=… asks for what this run's game does not know: leave it out, did you mean seed?" in slipped.stderr
