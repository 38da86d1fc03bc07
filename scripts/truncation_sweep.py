"""What truncation buys and costs: samples of a run on digits at several bounds, judged by another classifier.

    python scripts/truncation_sweep.py RUN [--n 1000] [--bounds none,2,1,0.7,0.5,0.3,0.1] [--standing 16]

Every bound has the same noise and labels. Confidence and the share of the class asked for are those of scikit-learn's
SVC, fitted on all 1,797 real digits at 8x8; diversity is the mean distance between two samples of a class, in parts of
that between two real digits of a class. `--standing 0` takes the statistics of norms that training left.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
from digits_confidence import classifier, shrunk
from scipy.spatial.distance import pdist
from sklearn.datasets import load_digits

from gantrain.cli import main as gantrain


def spread(small: np.ndarray, labels: np.ndarray) -> float:
    """The mean distance between two rows (N, 64) of a class, averaged over the classes that have two."""
    each = [pdist(small[labels == k]) for k in range(10)]
    return float(np.mean([distances.mean() for distances in each if len(distances)]))


def samples(run: str, n: int, bound: str, standing: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, H, W, C) and their labels at a bound."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "samples.npz"
        words = [f"run={run}", f"n={n}", "class=all", f"out={out}"]
        words += [] if bound == "none" else [f"truncation={bound}"]
        words += [] if standing is None or bound == "none" else [f"standing={standing}"]
        with contextlib.redirect_stdout(io.StringIO()):
            if gantrain(["sample", *words]):
                raise SystemExit(1)
        held = np.load(out)
        return held["samples"], held["labels"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--bounds", default="none,2,1,0.7,0.5,0.3,0.1")
    parser.add_argument("--standing", default=None)
    arguments = parser.parse_args()
    judge, digits = classifier(), load_digits()
    real = spread(digits.data, digits.target)
    print("| truncation | confidence | as asked | diversity in a class |\n|---|---|---|---|")
    for bound in arguments.bounds.split(","):
        pictures, labels = samples(arguments.run, arguments.n, bound, arguments.standing)
        small = shrunk(pictures)
        chances = judge.predict_proba(small)
        asked = (chances.argmax(1) == labels).mean()
        print(
            f"| {bound} | {chances.max(1).mean():.3f} | {asked:.1%} | {spread(small, labels) / real:.2f} |", flush=True
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
