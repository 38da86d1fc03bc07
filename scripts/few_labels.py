"""Sets a semi-supervised run beside classifiers that know only the same labelled samples.

    python scripts/few_labels.py RUN [RUN …]

Reads the labelled samples out of each run's checkpoint, fits scikit-learn's support vector classifier and multilayer
perceptron to them, and prints the errors on the dataset's held-out part beside the run's own last `metrics/test_error`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from gantrain.building import build
from gantrain.commands.assembly import config_of, plain
from gantrain.config import data_folder
from gantrain.data import Place
from gantrain.training.checkpoints import find, load


def main(runs: list[str]) -> int:
    if not runs:
        print(__doc__)
        return 2
    for run in runs:
        state = load(find(Path(run)))
        cfg = config_of(state, run)
        samples, labels = state["game"]["labelled_samples"].flatten(1), state["game"]["labelled_labels"]
        part = build(plain(cfg.dataset), "dataset").held_out_part()
        batches = part.open(Place(data_folder(cfg), torch.device("cpu")))
        held = batches.draw(0, batches.size)
        errors = {}
        for judge in (SVC(), MLPClassifier((500,), max_iter=1000, random_state=0)):
            judge.fit(samples.numpy(), labels.numpy())
            found = judge.predict(held["real"].flatten(1).numpy())
            errors[type(judge).__name__] = (found != held["label"].numpy()).mean()
        lines = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]
        own = [line["metrics/test_error"] for line in lines if "metrics/test_error" in line][-1]
        alone = "  ".join(f"{name} {error:.2%}" for name, error in errors.items())
        print(f"{run}: {own:.2%} with {len(labels)} labels; on these alone: {alone}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
