"""What the default recipes reach. Slow: run with pytest -m slow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Command, lines_of

pytestmark = pytest.mark.slow


def final(gantrain_process: Command, folder: Path, *words: str) -> dict[str, float]:
    done = gantrain_process(*words, f"outputs_dir={folder}")
    assert done.returncode == 0, done.stderr
    (run,) = folder.glob("*/*/metrics.jsonl")
    return {key: value for line in lines_of(run) for key, value in line.items()}


@pytest.mark.parametrize("seed", range(5))
def test_gaussian1d(gantrain_process: Command, tmp_path: Path, seed: int) -> None:
    found = final(gantrain_process, tmp_path, "dataset=gaussian1d", f"seed={seed}")
    assert found["metrics/wasserstein1"] <= 0.05
    assert found["metrics/std"] == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(("dataset", "modes", "share"), [("ring8", 8, 0.95), ("grid25", 25, 0.93)])
def test_modes(gantrain_process: Command, tmp_path: Path, dataset: str, modes: int, share: float) -> None:
    shares = []
    for seed in range(10):
        found = final(gantrain_process, tmp_path / str(seed), f"dataset={dataset}", f"seed={seed}")
        assert found["metrics/modes"] == modes
        shares.append(found["metrics/high_quality"])
    assert np.mean(shares) >= share


@pytest.mark.parametrize("experiment", ["gaussian1d_collapse", "gaussian1d_minibatch"])
def test_tutorial(gantrain_process: Command, tmp_path: Path, experiment: str) -> None:
    """The tutorial's recipe collapses, and its cure keeps most of the width."""
    std = final(gantrain_process, tmp_path, f"experiment={experiment}")["metrics/std"]
    assert std < 0.3 if experiment.endswith("collapse") else 0.3 < std < 0.6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_digits(gantrain_process: Command, tmp_path: Path, seed: int) -> None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    assert gantrain_process(f"seed={seed}").returncode == 0
    (run,) = (tmp_path / "outputs").glob("*/*")
    assert gantrain_process("sample", f"run={run}", "n=1000", "format=npz", "out=s.npz").returncode == 0
    digits = load_digits()
    judge = CalibratedClassifierCV(SVC(gamma="scale"), ensemble=False).fit(digits.data, digits.target)
    samples = np.load(tmp_path / "s.npz")["samples"][..., 0] / 255 * 16
    chances = judge.predict_proba(samples.reshape(-1, 8, 2, 8, 2).mean((2, 4)).reshape(-1, 64))
    assert np.bincount(chances.argmax(1), minlength=10).min() >= 50
    assert chances.max(1).mean() >= 0.90
