"""Images per second of three recipes, and whether a change made them slower: by the real command, in several checkouts.

    python scripts/step_times.py                          this checkout
    python scripts/step_times.py ../before . --repeats 7  two of them, taking turns, with the ratios of their medians

Each run is a process of its own with one thread and float32; of its log windows, all but the first count. MNIST and
CIFAR-10 are looked for in GANTRAIN_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RECIPES = {
    "mlp on ring8": (["dataset=ring8"], 1800),
    "dcgan_small on mnist": (["dataset=mnist", "model=dcgan_small"], 120),
    "dcgan on cifar10": (["dataset=cifar10", "model=dcgan", "trainer.batch_size=32"], 18),
}
"""The words of each, and its steps."""
WINDOWS = 6


def images_per_second(tree: Path, words: list[str], steps: int) -> float:
    """The median over the log windows of one run of the code in this checkout."""
    with tempfile.TemporaryDirectory() as folder:
        quiet = ["metrics.use=[]", f"log.samples_every={steps + 1}", "trainer.threads=1", "trainer.precision=fp32"]
        lengths = [f"trainer.steps={steps}", f"log.every={steps // WINDOWS}", f"outputs_dir={folder}"]
        env = {**os.environ, "PYTHONPATH": str(tree.resolve()), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "gantrain", *words, *lengths, *quiet]
        subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True)
        (log,) = Path(folder).rglob("metrics.jsonl")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    return statistics.median(line["speed/images_per_second"] for line in lines[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="*", type=Path, default=[Path(__file__).parent.parent])
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    for name, (words, steps) in RECIPES.items():
        found: dict[Path, list[float]] = {tree: [] for tree in asked.trees}
        for repeat in range(asked.repeats):
            for tree in asked.trees[:: 1 if repeat % 2 else -1]:
                found[tree].append(images_per_second(tree, words, steps))
        medians = [statistics.median(speeds) for speeds in found.values()]
        ratios = "".join(f"  {median / medians[0]:.3f} of the first" for median in medians[1:])
        print(f"{name:<22}" + "  ".join(f"{median:10,.0f} images/s" for median in medians) + ratios, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
