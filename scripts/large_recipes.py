"""What a step of each recipe for a GPU costs: parameters, operations, memory; on a GPU also what it takes there.

    python scripts/large_recipes.py [sngan_cifar10 …] [--data FOLDER] [--steps 20]

Operations and memory are counted on the CPU with batches of 4 and 8, from which they go on in a straight line to the
recipe's: multiplications and additions of convolutions and products of matrices, and the tensors that the largest turn
keeps for its backward, with weights, gradients, averages and Adam's moments. What a GPU holds besides, cuDNN's
workspace above all, is not counted.
Where there is CUDA, each recipe then plays 20 steps as it is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from gantrain.commands.parts import Parts, build_parts
from gantrain.config import complete, compose, hydra_at
from gantrain.training.rounds import Rounds

RECIPES = {
    "sngan_cifar10": ["experiment=sngan_cifar10"],
    "cgan_cifar10": ["experiment=cgan_cifar10"],
    "speedrun_cifar10": ["experiment=speedrun_cifar10"],
    "sngan_celeba": ["experiment=sngan_celeba"],
    "sngan_celeba at 128": ["experiment=sngan_celeba", "dataset.image_size=128", "loss.n_critic=2"],
}
SMALL = (4, 8)


class Watched(Rounds):
    """Rounds that know how many bytes their largest turn kept for its backward."""

    kept = 0

    def turn(self, *arguments: Any) -> None:
        own = {p.untyped_storage().data_ptr() for p in self.game.parameters()}
        held: dict[int, int] = {}

        def keep(x: Tensor) -> Tensor:
            storage = x.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
            return x

        with saved_tensors_hooks(keep, lambda x: x):
            super().turn(*arguments)
        self.kept = max(self.kept, sum(n for place, n in held.items() if place not in own))


def parts_of(words: Sequence[str]) -> tuple[Parts, Any]:
    with hydra_at():
        cfg = complete(compose([*words, "metrics=none"]))
    return build_parts(cfg, None, lambda text: None), cfg


def counted(words: Sequence[str]) -> str:
    """Parameters of both players, and the operations and GiB of a step."""
    small, large = (played(words, batch) for batch in SMALL)
    times = (small.batch_size - SMALL[0]) / (SMALL[1] - SMALL[0])  # what a sample adds, beside what is there once
    kept = small.kept + times * (large.kept - small.kept)
    operations = (small.operations + times * (large.operations - small.operations)) / 1e12
    sizes = " and ".join(f"{count / 1e6:.1f} M" for count in small.weights)
    whole = operations * small.steps / 1000
    return f"{sizes} | {operations:.1f} | {whole:,.0f} | {(kept + small.state) / 2**30:.1f}"


@dataclass(frozen=True)
class Played:
    """What a step with a small batch took."""

    operations: float
    kept: int
    """Bytes for the backward of the largest turn."""
    state: int
    """Bytes of weights, gradients and Adam's moments."""
    weights: list[int]
    batch_size: int
    """Of the recipe."""
    steps: int
    """Of the recipe."""


def played(words: Sequence[str], batch: int) -> Played:
    parts, cfg = parts_of([*words, "trainer.device=cpu", "trainer.precision=bf16"])
    with closing(parts.source.open(parts.context)) as batches:
        rounds = Watched(parts.game, parts.learners, batches, parts.machine, 0, cfg.trainer.steps, batch)
        rounds.begin()
        rounds.play(parts.progress)  # Adam's moments are made in the first one
        with FlopCounterMode(display=False) as counter:
            rounds.play(parts.progress)
    state = sum(t.nbytes for t in parts.game.state_dict().values())
    for learner in parts.learners.values():  # a gradient, and two moments of the same size
        state += sum(3 * p.nbytes for p in learner.parameters)
    weights = [sum(p.numel() for p in learner.parameters) for learner in parts.learners.values()]
    return Played(counter.get_total_flops(), rounds.kept, state, weights, cfg.trainer.batch_size, cfg.trainer.steps)


def measured(words: Sequence[str], steps: int) -> str:
    """Milliseconds of a step, hours of the whole run, and the most memory, on this GPU."""
    parts, cfg = parts_of([*words, "trainer.device=cuda"])
    with closing(parts.source.open(parts.context)) as batches:
        sizes = (cfg.trainer.steps, cfg.trainer.batch_size)
        rounds = Rounds(parts.game, parts.learners, batches, parts.machine, 0, *sizes)
        rounds.begin()
        torch.cuda.reset_peak_memory_stats()
        for _ in range(5):  # until everything is chosen and made
            rounds.play(parts.progress)
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            rounds.play(parts.progress)
        torch.cuda.synchronize()
        seconds = (time.perf_counter() - began) / steps
    peak = torch.cuda.max_memory_allocated() / 2**30
    return f"{1000 * seconds:.1f} | {seconds * cfg.trainer.steps / 3600:.2f} | {peak:.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(RECIPES), help=", ".join(RECIPES))
    parser.add_argument("--data", help="the folder of data sets")
    parser.add_argument("--steps", type=int, default=20, help="that are played on a GPU")
    asked = parser.parse_args()
    if unknown := [name for name in asked.recipes if name not in RECIPES]:
        parser.error(f"{unknown[0]} is none of {', '.join(RECIPES)}")
    data = [f"data_dir={asked.data}"] if asked.data else []
    gpu = torch.cuda.is_available()
    heads = ["recipe", "D and G", "TFLOP a step", "PFLOP in all", "GiB at least"]
    heads += [f"ms a step on {torch.cuda.get_device_name()}", "hours in all", "GiB"] if gpu else []
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name in asked.recipes:
        cells = [name, counted([*RECIPES[name], *data])]
        cells += [measured([*RECIPES[name], *data], asked.steps)] if gpu else []
        print(f"| {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
