"""Sets a semi-supervised run beside classifiers that know only the same labelled samples.

    python scripts/few_labels.py RUN [RUN …]

Reads the labelled samples out of each run's checkpoint, fits scikit-learn's support vector classifier and multilayer
perceptron and the run's own classifier, from new weights, to them alone, and prints the errors on the dataset's
held-out part beside the run's own last `metrics/test_error`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from torch import Tensor

from gantrain.commands.assembly import build_game, config_of, plain
from gantrain.config import build, data_folder
from gantrain.data import DataContext
from gantrain.runs import RunFolder, find_checkpoint, load_checkpoint


def its_own(cfg: DictConfig, samples: Tensor, labels: Tensor, held: Tensor, steps: int = 2000) -> Tensor:
    """The labels that the run's classifier finds for `held` when it has only seen these few samples."""
    bare = cfg.copy()
    bare.tricks = {}
    game = build_game(bare)
    optimizer = torch.optim.Adam(game.parameters(), lr=1e-3)
    for _ in range(steps):
        index = torch.randint(len(labels), (100,))
        optimizer.zero_grad()
        F.cross_entropy(game.classify(samples[index]), labels[index]).backward()
        optimizer.step()
    game.eval()
    with torch.no_grad():
        return torch.cat([game.classify(part).argmax(1) for part in held.split(100)])


def main(runs: list[str]) -> int:
    if not runs:
        print(__doc__)
        return 2
    for run in runs:
        state = load_checkpoint(find_checkpoint(Path(run)))
        cfg = config_of(state, run)
        samples, labels = state["game"]["labelled_samples"], state["game"]["labelled_labels"]
        part = build(plain(cfg.dataset), "dataset").held_out_part()
        batches = part.open(DataContext(data_folder(cfg), torch.device("cpu")))
        held = batches.draw(0, batches.size)
        errors = {}
        for judge in (SVC(), MLPClassifier((500,), max_iter=1000, random_state=0)):
            judge.fit(samples.flatten(1).numpy(), labels.numpy())
            found = judge.predict(held["real"].flatten(1).numpy())
            errors[type(judge).__name__] = (found != held["label"].numpy()).mean()
        named = its_own(cfg, samples, labels, held["real"])
        errors["its own network"] = (named != held["label"]).double().mean().item()
        lines = RunFolder(Path(run)).numbers.read()
        own = [line["metrics/test_error"] for line in lines if "metrics/test_error" in line][-1]
        alone = "  ".join(f"{name} {error:.2%}" for name, error in errors.items())
        print(f"{run}: {own:.2%} with {len(labels)} labels; on these alone: {alone}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
