"""Several processes on one computer against one: the time of a round, or the memory that weights take in each.

    torchrun --standalone --nproc-per-node 2 scripts/processes.py time dataset=ring8
    torchrun --standalone --nproc-per-node 2 scripts/processes.py memory dataset=ring8 loss=wgan_gp

Time: blocks of rounds of one process with the whole batch, of all together, and of all together with
`trainer.shard=true`, one block of each after the other; medians over blocks, by the clock, which other work on the
computer moves, and of processor time, which it does not. Memory, in MiB of each process: what it
keeps between turns of weights, averages and optimizer states, and the most that those and gradients take at once.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager

import torch
from torch import Tensor

from gantrain.commands.parts import begin, build_parts, build_rounds, open_data
from gantrain.config import complete, compose, hydra_at
from gantrain.sharded import local
from gantrain.training.processes import Processes
from gantrain.training.ranks import ALONE, Ranks
from gantrain.training.rounds import Rounds
from gantrain.training.sharding import Sharded
from gantrain.training.state import Progress

SHARD = "trainer.shard=true"


@contextmanager
def rounds_of(words: list[str], ranks: Ranks) -> Iterator[Rounds]:
    """Rounds of the run that these words describe, ready to play."""
    with hydra_at():
        cfg = complete(compose([*words, "metrics=none", "trainer.execution=eager"]))

    def quiet(_: str) -> None:
        """Says nothing."""

    parts = build_parts(cfg, None, quiet, ranks)
    with closing(open_data(parts, ranks)) as batches:
        rounds = build_rounds(cfg, parts, batches, quiet, ranks)
        begin(rounds)
        yield rounds


def block_seconds(rounds: Rounds, progress: Progress, count: int) -> tuple[float, float]:
    """Of one round, over a block of so many: by the clock, and of work of this process."""
    began, worked = time.perf_counter(), time.process_time()
    for _ in range(count):
        rounds.play(progress)
    return (time.perf_counter() - began) / count, (time.process_time() - worked) / count


def compare_times(words: list[str], ranks: Processes, blocks: int, count: int) -> None:
    with (
        rounds_of(words, ALONE) as one,
        rounds_of(words, ranks) as together,
        rounds_of([*words, SHARD], ranks) as sharded,
    ):
        contenders = {"one process": one, "together": together, "together, sharded": sharded}
        progress = {name: Progress() for name in contenders}
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        for block in range(blocks + 1):
            for name, rounds in contenders.items():
                ranks.agree(None, 0.0)  # the others wait for the one
                if ranks.number == 0 or rounds is not one:
                    found = block_seconds(rounds, progress[name], count)
                    seconds[name] += [found] if block else []  # the first one warms up
        if ranks.number:
            return
        print(f"| {' '.join(words)} | ms a round | × one process | ms of work of each |\n|---|---|---|---|")
        base = statistics.median(clock for clock, _ in seconds["one process"])
        for name, found in seconds.items():
            clocks, works = ([1000 * part for part in parts] for parts in zip(*found, strict=True))
            middle = statistics.median(clocks)
            print(
                f"| {name} | {middle:.3g} ({min(clocks):.3g} to {max(clocks):.3g}) | {1000 * base / middle:.2f} | "
                f"{statistics.median(works):.3g} |"
            )


def bytes_of(tensors: Iterable[Tensor | None]) -> int:
    """Of the memory under tensors, each counted once."""
    held = {}
    for tensor in tensors:
        if tensor is not None:
            storage = local(tensor).untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
    return sum(held.values())


def weights_held(rounds: Rounds) -> int:
    """Bytes of all weights, averages, optimizer states and gradients that this process has now."""
    learners = rounds.learners.values()
    moments = [x for learner in learners for kept in learner.optimizer.state.values() for x in kept.values()]
    weights = list(rounds.game.parameters())
    if isinstance(rounds.weights, Sharded):
        weights += [x for pair in rounds.weights._whole.items() for x in pair]
    return bytes_of([*weights, *(x.grad for x in weights), *(x for x in moments if isinstance(x, Tensor))])


def measure_memory(words: list[str], ranks: Ranks) -> None:
    lines = ["| weights | kept between turns, MiB | most at once, MiB |", "|---|---|---|"]
    for name, more in (("whole", []), ("sharded", [SHARD])):
        with rounds_of([*words, *more], ranks) as rounds:
            most = 0

            def looking(call: Callable[..., object], rounds: Rounds = rounds) -> Callable[..., object]:
                def looked(*given: object) -> object:
                    nonlocal most
                    found = call(*given)
                    most = max(most, weights_held(rounds))
                    return found

                return looked

            rounds.execution.backward = looking(rounds.execution.backward)  # type: ignore[method-assign, assignment]
            rounds._update = looking(rounds._update)  # type: ignore[method-assign, assignment]
            progress = Progress()
            for _ in range(2):
                rounds.play(progress)
            for learner in rounds.learners.values():
                learner.forget_gradients()
            lines.append(f"| {name} | {weights_held(rounds) / 2**20:.0f} | {most / 2**20:.0f} |")
    if ranks.number == 0:
        print(f"{' '.join(words)}, {ranks.count} processes\n" + "\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["time", "memory"])
    parser.add_argument("words", nargs="*", help="as gantrain has them")
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=20, help="of a block")
    asked = parser.parse_intermixed_args()
    ranks = Processes()
    torch.manual_seed(0)
    if asked.what == "time":
        compare_times(asked.words, ranks, asked.blocks, asked.rounds)
    else:
        measure_memory(asked.words, ranks)
    ranks.close()


if __name__ == "__main__":
    main()
