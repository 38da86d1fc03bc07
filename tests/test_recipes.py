"""What the default recipes reach. Slow: run with pytest -m slow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Command, lines_of
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.svm import SVC

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


def svc() -> CalibratedClassifierCV:
    """A classifier of the real 8x8 digits."""
    digits = load_digits()
    return CalibratedClassifierCV(SVC(gamma="scale"), ensemble=False).fit(digits.data, digits.target)


def shrunk(samples: np.ndarray) -> np.ndarray:
    grey = samples[..., 0] / 255 * 16
    return grey.reshape(-1, 8, 2, 8, 2).mean((2, 4)).reshape(-1, 64)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_digits(gantrain_process: Command, tmp_path: Path, seed: int) -> None:
    assert gantrain_process(f"seed={seed}").returncode == 0
    (run,) = (tmp_path / "outputs").glob("*/*")
    assert gantrain_process("sample", f"run={run}", "n=1000", "format=npz", "out=s.npz").returncode == 0
    chances = svc().predict_proba(shrunk(np.load(tmp_path / "s.npz")["samples"]))
    assert np.bincount(chances.argmax(1), minlength=10).min() >= 50
    assert chances.max(1).mean() >= 0.90


@pytest.mark.parametrize(
    "words",
    [
        *(["experiment=cgan_digits", f"model.conditioning={kind}"] for kind in ("concat", "embedding", "projection")),
        ["experiment=cgan_digits", "model.mismatched=0.25"],
        ["experiment=acgan_digits"],
        ["experiment=triplegan_digits"],
    ],
)
def test_digits_of_the_class_asked_for(gantrain_process: Command, tmp_path: Path, words: list[str]) -> None:
    assert gantrain_process(*words).returncode == 0
    (run,) = (tmp_path / "outputs").glob("*/*")
    assert gantrain_process("sample", f"run={run}", "n=1000", "class=all", "out=s.npz").returncode == 0
    held = np.load(tmp_path / "s.npz")
    assert (svc().predict(shrunk(held["samples"])) == held["labels"]).mean() >= 0.95


def test_a_code_finds_the_digits(gantrain_process: Command, tmp_path: Path) -> None:
    assert final(gantrain_process, tmp_path, "experiment=infogan_digits")["metrics/code_error"] <= 0.2


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("experiment", ["sgan_mnist_quick", "triplegan_mnist_quick"])
def test_few_labels_are_enough(gantrain_process: Command, tmp_path: Path, experiment: str) -> None:
    """A third of the error of a support vector classifier of the same hundred labels, 23.8 %."""
    assert final(gantrain_process, tmp_path, f"experiment={experiment}")["metrics/test_error"] <= 0.238 / 3


@pytest.mark.parametrize("experiment", ["gman_ring8", "madgan_ring8"])
def test_many_players_find_all_modes(gantrain_process: Command, tmp_path: Path, experiment: str) -> None:
    assert final(gantrain_process, tmp_path, f"experiment={experiment}")["metrics/modes"] == 8


def test_packing_evens_out_what_collapses(gantrain_process: Command, tmp_path: Path) -> None:
    """The ordering of Lin et al. 2018, table 1: reverse KL falls when D judges two samples at once."""
    found = []
    for name, words in {"free": [], "packed": ["tricks=[packing]"]}.items():
        runs = [
            final(gantrain_process, tmp_path / f"{name}{seed}", "experiment=ring8_collapse", *words, f"seed={seed}")
            for seed in range(5)
        ]
        found.append(np.mean([run["metrics/reverse_kl"] for run in runs]))
    assert found[1] < found[0]
