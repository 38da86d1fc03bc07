"""Runs the default recipe of toy data sets with many seeds and prints their figures.

    python scripts/toy_figures.py [ring8 grid25 gaussian1d …] [--seeds 10]

One run takes up to two minutes of one CPU core. Figures are those of the runs' own last evaluation.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=["ring8", "grid25", "gaussian1d"])
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    for dataset in arguments.datasets:
        with tempfile.TemporaryDirectory() as folder:
            seeds = ",".join(str(seed) for seed in range(arguments.seeds))
            began = time.monotonic()
            words = ["-m", f"dataset={dataset}", f"seed={seeds}", f"outputs_dir={folder}"]
            done = subprocess.run(
                [sys.executable, "-m", "gantrain", *words], capture_output=True, text=True, check=False
            )
            if done.returncode:
                print(done.stdout[-2000:], done.stderr, file=sys.stderr)
                return 1
            each = (time.monotonic() - began) / arguments.seeds
            (table,) = Path(folder).glob("sweeps/*/*/summary.csv")
            rows = list(csv.DictReader(table.open()))
        print(f"\n{dataset}: {arguments.seeds} seeds, {each:.0f} s each")
        for name in rows[0]:
            if name not in ("job", "dataset", "seed", "outputs_dir", "status", "step", "reason"):
                values = [float(row[name]) for row in rows if row[name]]
                if values:
                    spread = f"mean {statistics.fmean(values):.4g}  min {min(values):.4g}  max {max(values):.4g}"
                    print(f"  {name:<16} {spread}  ({' '.join(f'{v:.4g}' for v in values)})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
