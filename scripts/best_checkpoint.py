"""Is the checkpoint that a run keeps as its best as good as the best one that it ever had?

Trains a DCGAN on digits for longer than it gets better, keeps every checkpoint, measures all of them anew with other
samples (seed=1), and sets best.pt and the last one beside the best of these.

    python scripts/best_checkpoint.py --steps 4000 --seeds 0 1 2 --set optimizer.discriminator.lr=2e-3
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from gantrain.cli import main
from gantrain.runs import load_checkpoint

TAG = "metrics/mind_classifier"
RECIPE = ["dataset=digits", "model=dcgan", "model.generator.width=16", "model.discriminator.width=16"]
RECIPE += ["loss=nonsaturating", "tricks=[]", "trainer.batch_size=32", "checkpoint.keep=1000"]


def measure(steps: int, seed: int, every: int, chosen: list[str], outputs: Path) -> None:
    """Prints the figures of best.pt, of the last checkpoint and of the best of all, measured with other samples."""
    words = [f"trainer.steps={steps}", f"seed={seed}", f"metrics.every={every}", f"checkpoint.every={every}"]
    words += ["metrics.use=[mind_classifier]", f"metrics.best={TAG}", f"outputs_dir={outputs / str(seed)}"]
    assert main([*RECIPE, *words, *chosen]) == 0
    run = next((outputs / str(seed)).glob("*/*/config.yaml")).parent
    assert main(["evaluate", f"run={run}", "checkpoint=all", "seed=1"]) == 0
    lines = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    figures = {line["step"]: line["figures"][TAG] for line in lines}
    kept = load_checkpoint(run / "checkpoints" / "best.pt")["progress"]["step"]
    best = min(figures, key=lambda step: figures[step])
    print(f"seed {seed}: best of all {figures[best]:.3f} at {best}, kept {figures[kept]:.3f} at {kept}, ", end="")
    print(f"last {figures[max(figures)]:.3f}; the kept one is {figures[kept] / figures[best] - 1:.1%} above the best")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--every", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], help="overrides of the recipe")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for each in asked.seeds:
            measure(asked.steps, each, asked.every, asked.set, Path(folder))
