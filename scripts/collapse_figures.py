"""Runs a recipe that loses modes of ring8, and the cures for it, with many seeds.

    python scripts/collapse_figures.py [none packing2 unrolled5 …] [--seeds 10]

A run takes under a minute of one CPU core, with unrolling about seven. Figures are those of the runs' own last
evaluation: modes hit of 8, the reverse KL of the shares of samples per mode (0 where all are alike), and the share of
2,500 samples within three standard deviations of a mode.
"""

from __future__ import annotations

import argparse
import statistics

from toy_figures import spread, sweep

CURES = {
    "none": [],
    "minibatch_discrimination": ["tricks=[minibatch_discrimination]"],
    **{f"packing{m}": ["tricks=[packing]", f"tricks.packing.m={m}", "trainer.batch_size=120"] for m in (2, 3, 4)},
    "unrolled5": ["tricks=[unrolled]"],
    "r1": ["loss=r1"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cures", nargs="*", default=list(CURES))
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    for name in arguments.cures:
        figures, each = sweep(["experiment=ring8_collapse", *CURES[name]], arguments.seeds)
        lost = sum(count < 8 for count in figures["modes"])
        print(f"{name:<26} {statistics.fmean(figures['modes']):.1f} modes, {lost} of {arguments.seeds} runs lose some")
        for key in ("modes", "reverse_kl", "high_quality"):
            print(f"  {key:<12} {spread(figures[key])}")
        print(f"  {each:.0f} s each", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
