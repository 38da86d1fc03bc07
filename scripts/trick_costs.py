"""Times every trick beside a run without any, and prints seconds per step and the ratio of the medians.

    python scripts/trick_costs.py [trick …] [--repeats 5] [--steps 60]

Runs take turns, so that a busy machine slows all of them alike. Each is the real command on bundled data: points with
model=mlp, and pictures of 16x16 with model=dcgan_small. Takes about ten minutes of one CPU core.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
from pathlib import Path

import torch

from gantrain.cli import main as gantrain
from gantrain.options import listed, options_of
from gantrain.runs import RunFolder

SETTINGS = {
    "mlp": ["dataset=ring8", "model.generator.norm=batch"],
    "dcgan": ["dataset=digits", "model=dcgan_small", "trainer.batch_size=64"],
}
EXTRA = {"early_stopping": ["tricks.early_stopping.metric=metrics/modes", "metrics.every=1000000"]}


def seconds_per_step(words: list[str], steps: int) -> float | None:
    """The median over the log of one run; None where the trick does not fit the data."""
    with tempfile.TemporaryDirectory() as folder:
        common = [
            f"outputs_dir={folder}",
            f"trainer.steps={steps}",
            f"log.every={max(steps // 6, 1)}",
            "metrics.use=[]",
        ]
        common += ["loss=nonsaturating", "optimizer=adam", "checkpoint.every=1000000", "log.samples_every=1000000"]
        if any(word.startswith("tricks.early_stopping") for word in words):
            common.remove("metrics.use=[]")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            code = gantrain([*words, *common, "trainer.threads=1"])
        if code:
            return None
        (run,) = map(RunFolder, Path(folder).glob("*/*"))
        lines = run.numbers.read()
        batch = int(next(x for x in run.read_config().splitlines() if "batch_size" in x).split(":")[1])
        speeds = [line["speed/images_per_second"] for line in lines[1:] if "speed/images_per_second" in line]
        return batch / statistics.median(speeds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = listed("tricks", options_of("tricks"))
    parser.add_argument("tricks", nargs="*", default=known)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, one thread; seconds per step (ratio to no trick)\n")
    print("| trick | " + " | ".join(SETTINGS) + " |\n|---|" + "---|" * len(SETTINGS))
    found: dict[tuple[str, str], list[float]] = {}
    names = ["none", *arguments.tricks]
    for _ in range(arguments.repeats):
        for setting, words in SETTINGS.items():
            steps = arguments.steps * (10 if setting == "mlp" else 1)
            for name in names:
                chosen = "tricks=[]" if name == "none" else f"tricks=[{name}]"
                took = seconds_per_step([*words, chosen, *EXTRA.get(name, [])], steps)
                if took is not None:
                    found.setdefault((setting, name), []).append(took)
    for name in names:
        cells = []
        for setting in SETTINGS:
            took, free = (statistics.median(found.get((setting, n), [0.0])) for n in (name, "none"))
            cells.append(f"{took:.5f} ({took / free:.2f})" if took else "does not fit")
        print(f"| {name} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
