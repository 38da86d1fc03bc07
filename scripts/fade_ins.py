"""D's losses before and after each change of a growing run: python scripts/fade_ins.py outputs/progan_digits/…

Train with log.every=1, or with few steps between logged numbers. `spread` is what the loss varies by around its own
mean over the same number of logged steps before the change, to set the difference against.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev

GROWN, FADE = "growth/resolution", "growth/fade"


def changes(rows: list[dict[str, float]]) -> list[tuple[int, str]]:
    """The places where a fade begins or ends, and what begins there."""
    found = []
    for k, (before, now) in enumerate(pairwise(rows), 1):
        if now[GROWN] != before[GROWN]:
            found.append((k, f"{now[GROWN]:.0f}x{now[GROWN]:.0f} begins to fade in"))
        elif before[FADE] < 1 <= now[FADE]:
            found.append((k, f"{now[GROWN]:.0f}x{now[GROWN]:.0f} has faded in"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--tag", default="loss/discriminator/total")
    parser.add_argument("--count", type=int, default=10, help="logged steps on either side")
    asked = parser.parse_args()
    lines = (json.loads(line) for line in (asked.run / "metrics.jsonl").read_text().splitlines())
    rows = [row for row in lines if GROWN in row]
    print(
        f"{asked.tag}: means of {asked.count} logged steps\n\n| step | change | before | after | difference | spread |"
    )
    print("|---|---|---|---|---|---|")
    for k, what in (change for change in changes(rows) if change[0] > 1):
        before, after = (
            [row[asked.tag] for row in part] for part in (rows[:k][-asked.count :], rows[k:][: asked.count])
        )
        gap = fmean(after) - fmean(before)
        print(
            f"| {rows[k]['step']:.0f} | {what} | {fmean(before):.3f} | {fmean(after):.3f} | {gap:+.3f} | "
            f"{stdev(before):.3f} |"
        )


if __name__ == "__main__":
    main()
