"""Asks a run on digits for samples of every class, and a classifier of the real digits what they are.

    python scripts/class_agreement.py RUN [--n 1000]

The classifier is scikit-learn's SVC on all 1,797 real digits at 8x8. Prints the share of samples that it
names as asked.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from digits_confidence import classifier, shrunk


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--n", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "samples.npz"
        words = [f"run={arguments.run}", f"n={arguments.n}", "class=all", f"out={out}"]
        subprocess.run([sys.executable, "-m", "gantrain", "sample", *words], check=True, stdout=subprocess.DEVNULL)
        held = np.load(out)
        samples, labels = held["samples"], held["labels"]
    named = classifier().predict(shrunk(samples))
    each = " ".join(f"{(named[labels == k] == k).mean():.2f}" for k in range(10))
    print(f"{(named == labels).mean():.3f} of {len(labels)} samples are the class asked for (classes 0-9: {each})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
