"""Judges 16x16 digit samples by a classifier that gantrain did not train.

    gantrain sample run=<folder> n=1000 format=npz out=digits.npz
    python scripts/digits_confidence.py digits.npz

Prints the share of each class and the mean confidence of scikit-learn's support vector classifier, fitted on the real
8x8 digits; each sample is brought back to 8x8 by averaging.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.svm import SVC


def classifier() -> CalibratedClassifierCV:
    """Fitted on the real digits (N, 64), 0 to 16."""
    digits = load_digits()
    return CalibratedClassifierCV(SVC(gamma="scale"), ensemble=False).fit(digits.data, digits.target)


def shrunk(samples: np.ndarray) -> np.ndarray:
    """uint8 (N, H, H, 1) to (N, 64), 0 to 16."""
    grey = samples[..., 0] / 255 * 16
    zoom = grey.shape[1] // 8
    return grey.reshape(-1, 8, zoom, 8, zoom).mean((2, 4)).reshape(-1, 64)


def main(files: list[str]) -> int:
    if not files:
        print(__doc__)
        return 2
    judge = classifier()
    for file in files:
        small = shrunk(np.load(file)["samples"])
        chances = judge.predict_proba(small)
        shares = np.bincount(chances.argmax(1), minlength=10) / len(small)
        print(f"{file}: confidence {chances.max(1).mean():.3f}, shares {' '.join(f'{s:.1%}' for s in shares)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
