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


def main(files: list[str]) -> int:
    if not files:
        print(__doc__)
        return 2
    digits = load_digits()
    judge = CalibratedClassifierCV(SVC(gamma="scale"), ensemble=False).fit(digits.data, digits.target)
    for file in files:
        samples = np.load(file)["samples"][..., 0] / 255 * 16
        zoom = samples.shape[1] // 8
        small = samples.reshape(-1, 8, zoom, 8, zoom).mean((2, 4)).reshape(-1, 64)
        chances = judge.predict_proba(small)
        shares = np.bincount(chances.argmax(1), minlength=10) / len(small)
        print(f"{file}: confidence {chances.max(1).mean():.3f}, shares {' '.join(f'{s:.1%}' for s in shares)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
