"""Runs healthy and sick recipes with several seeds and prints how the duality gap goes, and what it costs.

    python scripts/duality_gap.py [ring8 digits …] [--seeds 3] [--steps 2000]
    python scripts/duality_gap.py --cost

One run of 2,000 steps takes about half a minute of one CPU core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NO_RATE = "optimizer.discriminator.lr=0"
HUNDREDFOLD = ["optimizer.discriminator.lr=0.2", "optimizer/schedule=constant"]
RECIPES = {
    "ring8": ["dataset=ring8"],
    "digits": ["dataset=digits", "dataset.held_out=297"],
    "ring8, D never moves": ["dataset=ring8", NO_RATE],
    "ring8, rate of D x100": ["dataset=ring8", *HUNDREDFOLD],
    "ring8_collapse": ["experiment=ring8_collapse"],
    "digits, D never moves": ["dataset=digits", "dataset.held_out=297", NO_RATE],
    "digits, rate of D x100": ["dataset=digits", "dataset.held_out=297", *HUNDREDFOLD],
}
MARKS = 8
"""Evaluations of a run."""


def gaps(words: list[str], seed: int, steps: int) -> list[dict[str, float]]:
    """The figures of each evaluation of a run.

    Raises:
        RuntimeError: the run failed; with what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = [f"seed={seed}", f"trainer.steps={steps}", f"metrics.every={steps // MARKS}", f"outputs_dir={folder}"]
        own += ["metrics.use=[duality_gap]", "log.samples_every=100000", "checkpoint.every=100000"]
        command = [sys.executable, "-m", "gantrain", *words, *own]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr)
        (file,) = Path(folder).glob("*/*/metrics.jsonl")
        lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in lines if "metrics/duality_gap" in line]


def table(recipes: list[str], seeds: int, steps: int) -> None:
    """Prints a line for each run."""
    shown = [MARKS // 8, MARKS // 4, MARKS // 2, MARKS]
    print("| recipe | seed | " + " | ".join(f"step {steps * k // MARKS:,}" for k in shown) + " | M1 | M2 |")
    print("|---|---|" + "---|" * (len(shown) + 2))
    for recipe in recipes:
        for seed in range(seeds):
            found = gaps(RECIPES[recipe], seed, steps)
            cells = [_number(found[k - 1]["metrics/duality_gap"]) for k in shown]
            cells += [_number(found[-1][f"metrics/duality_gap_{name}"]) for name in ("m1", "m2")]
            print(f"| {recipe} | {seed} | " + " | ".join(cells) + " |", flush=True)


def cost() -> None:
    """Prints the seconds of an evaluation, of a step, and the share of a run that is evaluated every 5,000 steps."""
    from gantrain.commands.evaluation import best_answers_of, evaluation_of
    from gantrain.commands.parts import build_parts
    from gantrain.config import complete, compose, hydra_at
    from gantrain.metrics import DualityGap
    from gantrain.training.rounds import Rounds

    print("| run | a step | the gap | share at every 5,000 steps |\n|---|---|---|---|")
    for words in (["dataset=ring8"], ["dataset=digits"], ["dataset=digits", "model=dcgan_small"]):
        with hydra_at():
            cfg = complete(compose(words))
        parts = build_parts(cfg, None, lambda text: None)
        batches = parts.source.open(parts.context)
        real = parts.real_data(batches)
        size = cfg.trainer.batch_size
        rounds = Rounds(parts.game, parts.learners, batches, parts.machine, cfg.seed, cfg.trainer.steps, size)
        rounds.begin()
        metric = DualityGap()
        seconds = {}
        for name, times in (("step", 200), ("gap", 5)):
            began = time.perf_counter()
            for _ in range(times):
                if name == "step":
                    rounds.play(parts.progress)
                else:
                    step = parts.progress.step
                    answers = best_answers_of(cfg, parts.game, parts.learners, real, parts.machine, step)
                    metric(evaluation_of(parts.game, real, parts.machine, cfg.seed, size, step, answers))
            seconds[name] = (time.perf_counter() - began) / times
        share = seconds["gap"] / (5000 * seconds["step"])
        print(f"| {' '.join(words)} | {1000 * seconds['step']:.1f} ms | {seconds['gap']:.2f} s | {share:.1%} |")


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3g}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES), help=", ".join(RECIPES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--cost", action="store_true", help="measure time alone")
    arguments = parser.parse_args()
    if arguments.cost:
        cost()
    else:
        table(arguments.recipes, arguments.seeds, arguments.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
