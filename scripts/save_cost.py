"""What saving costs: python scripts/save_cost.py [overrides …]: by default dcgan on MNIST at the default interval.

Plays some rounds of the run that the overrides describe, saves some checkpoints of it and reads them again, and prints
how large one is, how long each takes, and which share of training saving takes at `checkpoint.every`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from omegaconf import OmegaConf

from gantrain.commands.parts import begin, build_parts, build_rounds, open_data
from gantrain.config import complete, compose, hydra_at
from gantrain.runs import CheckpointFiles, load_checkpoint
from gantrain.training.checkpoints import Checkpoints
from gantrain.training.ranks import ALONE
from gantrain.training.state import Progress

DEFAULT = ["dataset=mnist", "model=dcgan"]
ROUNDS, SAVES = 20, 9


def seconds(call: Callable[[], object], times: int) -> float:
    """The median of so many calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return median(taken)


def measure(words: Sequence[str]) -> str:
    """A sentence on a run of these overrides."""
    with hydra_at():
        cfg = complete(compose(list(words)))
    parts = build_parts(cfg, None, print)
    with closing(open_data(parts, ALONE)) as batches, tempfile.TemporaryDirectory() as home:
        rounds, progress = build_rounds(cfg, parts, batches, print), Progress()
        begin(rounds)
        rounds.play(progress)
        playing = seconds(lambda: rounds.play(progress), ROUNDS)
        facts = {"config": OmegaConf.to_yaml(cfg), "data": dict(batches.facts)}
        files = CheckpointFiles(Path(home) / "run")
        checkpoints = Checkpoints(files, cfg.checkpoint.keep, facts)
        saving = seconds(lambda: checkpoints.save(rounds.game, rounds.learners, progress), SAVES)
        file = files.of_step(progress.step)
        loading = seconds(lambda: load_checkpoint(file), SAVES)
        size, every = file.stat().st_size, cfg.checkpoint.every
    share = saving / (every * playing + saving)
    return (
        f"{parts.machine}: a checkpoint has {size / 1e6:.1f} MB, takes {saving:.3f} s to save and {loading:.3f} s to "
        f"read and check; a round takes {playing:.4f} s; saved every {every:,} rounds that is {share:.3%} of training"
    )


if __name__ == "__main__":
    print(measure(sys.argv[1:] or DEFAULT))
