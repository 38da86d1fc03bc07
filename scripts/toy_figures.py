"""Runs the default recipe of toy data sets with many seeds and prints their figures.

    python scripts/toy_figures.py [ring8 grid25 gaussian1d …] [--seeds 10]
    python scripts/toy_figures.py experiment=gman_ring8 "dataset=grid25 model=madgan" --seeds 5
    python scripts/toy_figures.py ring8 --together          all seeds at once, by trainer.replicas

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

NO_FIGURES = ("job", "seed", "outputs_dir", "status", "step", "reason")


def sweep(words: list[str], seeds: int, together: bool = False) -> tuple[dict[str, list[float]], float]:
    """The figures of each seed's last evaluation by name, and the seconds that a run took.

    Raises:
        RuntimeError: a run failed; with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        numbers = ",".join(str(seed) for seed in range(seeds))
        spread_out = [f"trainer.replicas={seeds}"] if together else ["-m", f"seed={numbers}"]
        command = [sys.executable, "-m", "gantrain", *spread_out, *words, f"outputs_dir={folder}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr)
        each = (time.monotonic() - began) / seeds
        (table,) = Path(folder).glob("sweeps/*/*/summary.csv")
        rows = list(csv.DictReader(table.open()))
    chosen = {word.partition("=")[0] for word in words}
    names = [name for name in rows[0] if name not in NO_FIGURES and name not in chosen]
    return {name: [float(row[name]) for row in rows if row[name]] for name in names}, each


def spread(values: list[float]) -> str:
    """Mean, least, most and each."""
    of_all = f"mean {statistics.fmean(values):.4g}  min {min(values):.4g}  max {max(values):.4g}"
    return f"{of_all}  ({' '.join(f'{value:.4g}' for value in values)})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=["ring8", "grid25", "gaussian1d"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--together", action="store_true", help="train the seeds at once, not one after the other")
    arguments = parser.parse_args()
    for recipe in arguments.recipes:
        words = recipe.split() if "=" in recipe else [f"dataset={recipe}"]
        figures, each = sweep(words, arguments.seeds, arguments.together)
        print(f"\n{recipe}: {arguments.seeds} seeds, {each:.0f} s each", flush=True)
        for name, values in figures.items():
            print(f"  {name:<16} {spread(values)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
