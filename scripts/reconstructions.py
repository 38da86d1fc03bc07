"""Judges the encoder of bigan runs on digits by the digits that were held out.

    python scripts/reconstructions.py RUN [RUN …]

Prints the share of held-out digits whose reconstruction a support vector classifier of real digits still names right,
and the accuracy of a linear classifier on codes (fitted on those of the training digits), beside one on pixels.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from digits_confidence import classifier, shrunk
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from gantrain.commands.assembly import build_game, config_of, plain
from gantrain.config import build
from gantrain.data import DataContext
from gantrain.games import Request
from gantrain.report.pictures import to_pixels
from gantrain.runs import find_checkpoint, load_checkpoint
from gantrain.training.checkpoints import load_game


def linear(train: Tensor, labels: Tensor, held: Tensor, truth: Tensor) -> float:
    """The accuracy of a linear classifier."""
    scale = train.std(0) + 1e-6
    fitted = LogisticRegression(max_iter=3000).fit((train / scale).numpy(), labels.numpy())
    return float(fitted.score((held / scale).numpy(), truth.numpy()))


def main(runs: list[str]) -> int:
    if not runs:
        print(__doc__)
        return 2
    for run in runs:
        state = load_checkpoint(find_checkpoint(Path(run)))
        cfg = config_of(state, run)
        game = build_game(cfg)
        load_game(game, state, run)
        source = build(plain(cfg.dataset), "dataset")
        sets = []
        for part in (source, source.held_out_part()):
            batches = part.open(DataContext(Path(), torch.device("cpu")))
            batch = batches.draw(0, batches.size)
            made = game.sample(Request(batches.size, inputs={"real": batch["real"]}))["samples"]
            sets.append((batch["real"].flatten(1), batch["label"], made.conditions["code"], made.x))
        (x, y, code, _), (held_x, held_y, held_code, again) = sets
        named = classifier().predict(shrunk(to_pixels(again.numpy())))
        kept = np.mean(named == held_y.numpy())
        on_codes, on_pixels = linear(code, y, held_code, held_y), linear(x, y, held_x, held_y)
        print(f"{run}: {kept:.1%} keep their class; linear on codes {on_codes:.1%}, on pixels {on_pixels:.1%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
