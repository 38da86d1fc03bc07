"""Between which values the numbers of healthy runs lie, to set beside gantrain/health/bands.py.

    python scripts/healthy_bands.py FOLDER

FOLDER holds runs that scripts/health_table.py trained. Prints for each healthy kind the 2nd and the 98th percentile of
each number over the last 80 % of its runs, with the expected band, and a mark where one lies outside it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import yaml
from health_table import HEALTHY

from gantrain.health import band_of, expected_bands, facts_of
from gantrain.runs import RunFolder


def main(folder: Path) -> None:
    for name in HEALTHY:
        runs = [RunFolder(path) for path in sorted(folder.glob(f"{name}-[0-9]*")) if RunFolder(path).has_config]
        if not runs:
            continue
        facts = facts_of(yaml.safe_load(runs[0].read_config()))
        bands, values = expected_bands(facts), dict[str, list[float]]()
        for run in runs:
            for line in run.numbers.read():
                for tag, value in line.items():
                    if value is not None and line["step"] > 0.2 * facts.steps:
                        values.setdefault(tag, []).append(value)
        print(f"{name}: {facts.loss}, {len(runs)} runs")
        for tag, found in values.items():
            band = band_of(tag, bands)
            if band is None:
                continue
            low, high = np.percentile(found, [2, 98])
            outside = " " if band[0] - 1e-9 <= low and high <= band[1] + 1e-9 else "!"
            print(f"  {outside} {tag:36} {low:9.3g} … {high:<9.3g} expected {band[0]:.3g} … {band[1]:.3g}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
