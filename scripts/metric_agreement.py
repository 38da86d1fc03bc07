"""Sets FID and MIND in the space of a classifier against an independent judge, over the checkpoints of one run.

    python scripts/metric_agreement.py RUN JUDGE [--n 5000] [--data FOLDER]

JUDGE is a program that is called as `JUDGE fid REAL.npz FAKE.npz --net mnist --n N` and prints a distance first.
Prints the figures of each checkpoint, and their rank correlation with the judge's.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from gantrain.commands.assembly import config_of
from gantrain.commands.evaluation import evaluation_of
from gantrain.commands.parts import Parts, build_parts
from gantrain.config import complete, compose, hydra_at
from gantrain.data import to_pixels
from gantrain.metrics import Evaluation, RealData, evaluate
from gantrain.runs import load_checkpoint

NAMES = ["fid_classifier", "mind_classifier"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("judge", type=Path)
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--data", default=None)
    arguments = parser.parse_args()
    rows, real = [], None
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for file in sorted((arguments.run / "checkpoints").glob("step_*.pt")):
            parts, step = parts_of(file, arguments.n, arguments.data)
            if real is None:
                real = RealData(parts.source, parts.context)
                for metric in parts.metrics.values():
                    metric.prepare(real)
                pictures = torch.cat([to_pixels(batch["real"]) for batch in real.batches("train", arguments.n)])
                np.savez(place / "real.npz", pictures.numpy())
                kept = parts.metrics
            evaluation = evaluation_of(parts.game, real, parts.machine, 0, 64, step)
            figures = evaluate(kept, evaluation)
            rows.append([step, *(figures[f"metrics/{name}"] for name in NAMES), judged(evaluation, arguments, place)])
            print("step {:>7,}  fid_classifier {:9.3f}  mind_classifier {:9.3f}  judge {:9.3f}".format(*rows[-1]))
    *ours, theirs = np.array(rows).T[1:]
    for name, values in zip(NAMES, ours, strict=True):
        print(f"{name}: rank correlation {spearmanr(values, theirs).statistic:.3f} over {len(rows)} checkpoints")
    return 0


def parts_of(file: Path, n: int, data: str | None) -> tuple[Parts, int]:
    """What a checkpoint is made of, with the metrics to be measured, and its step."""
    state = load_checkpoint(file)
    cfg = config_of(state, str(file))
    with hydra_at():  # the metrics of today, whatever the run was made with
        cfg.metrics = complete(compose(["dataset=mnist", "metrics=none"])).metrics
    cfg.metrics.use = NAMES
    for name in ("fid", "mind"):
        cfg.metrics.known[name].samples = n
    if data:
        cfg.data_dir = data
    return build_parts(cfg, state, lambda text: None), state["progress"]["step"]


def judged(evaluation: Evaluation, arguments: argparse.Namespace, place: Path) -> float:
    """The judge's distance of the same generated samples."""
    np.savez(place / "fake.npz", evaluation.pixels(arguments.n).numpy())
    words = ["fid", str(place / "real.npz"), str(place / "fake.npz"), "--net", "mnist", "--n", str(arguments.n)]
    said = subprocess.run([sys.executable, str(arguments.judge), *words], check=True, capture_output=True, text=True)
    return float(re.findall(r"\d+\.\d+", said.stdout)[0])


if __name__ == "__main__":
    raise SystemExit(main())
