"""What more GPUs would give: a model, from numbers that are measured elsewhere and given here. It measures nothing.

    python scripts/scaling.py --turns 5:40e6:10.5 1:43e6:14 --batch 64 --gpus 1 8 64

Each turn of a round is times:bytes:milliseconds: how often it is played, the bytes of its player's gradients, and how
long it takes one GPU with the whole batch. `scripts/benchmark.py` measures the times; a parameter has four bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """One player's turn in a round.

    Attributes:
        times: how often a round has it.
        gradients: bytes, which are reduced once.
        seconds: on one GPU, with the whole batch.
    """

    times: int
    gradients: float
    seconds: float


@dataclass(frozen=True)
class Links:
    """How GPUs reach each other.

    Attributes:
        inside, between: bytes a second that a GPU sends to its neighbour in a node, and to one in another node.
        per_node: GPUs of a node.
        latency: seconds of one message.
    """

    inside: float = 300e9
    between: float = 25e9
    per_node: int = 8
    latency: float = 10e-6


def reduce_seconds(size: float, gpus: int, links: Links) -> float:
    """Of a ring that adds `size` bytes up over GPUs: 2 (N - 1) messages of size / N, as slow as its slowest link.

    Patarasuk & Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations".
    """
    if gpus == 1:
        return 0.0
    speed = links.inside if gpus <= links.per_node else links.between
    return 2 * (gpus - 1) * (size / gpus / speed + links.latency)


def round_seconds(turns: Sequence[Turn], gpus: int, fixed: float, links: Links, larger_batch: bool = False) -> float:
    """Of a round on so many GPUs, where nothing of a reduction is hidden behind the backward pass, as gantrain has it.

    Args:
        fixed: the seconds of each turn that do not shrink with the samples a GPU plays, such as launches of kernels.
        larger_batch: the batch grows with the GPUs, so that each plays as many samples as one would; else it stays.
    """
    total = 0.0
    for turn in turns:
        shrinking = max(turn.seconds - fixed, 0.0) / (1 if larger_batch else gpus)
        total += turn.times * (min(fixed, turn.seconds) + shrinking + reduce_seconds(turn.gradients, gpus, links))
    return total


def table(turns: Sequence[Turn], batch: int, counts: Sequence[int], fixed: float, links: Links) -> list[str]:
    """One row for each number of GPUs: the same batch shared, and a batch that grows, by real images a second."""
    lines = [
        "| GPUs | batch shared: ms a round | images/s | × one | batch grows: images/s | × one |",
        "|---|---|---|---|---|---|",
    ]
    shown = batch * turns[0].times
    one = round_seconds(turns, 1, fixed, links)
    for gpus in counts:
        same = round_seconds(turns, gpus, fixed, links)
        grown = round_seconds(turns, gpus, fixed, links, larger_batch=True)
        lines.append(
            f"| {gpus} | {1000 * same:.3g} | {shown / same:,.0f} | {one / same:.2f} | {gpus * shown / grown:,.0f} | "
            f"{gpus * one / grown:.2f} |"
        )
    return lines


def turn_of(words: str) -> Turn:
    times, gradients, milliseconds = words.split(":")
    return Turn(int(times), float(gradients), float(milliseconds) / 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", nargs="+", type=turn_of, required=True, help="times:bytes:ms, D's first")
    parser.add_argument("--batch", type=int, required=True, help="real images of a turn")
    parser.add_argument("--gpus", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--fixed", type=float, default=2.0, help="ms of a turn that do not shrink with its samples")
    parser.add_argument("--inside", type=float, default=300.0, help="GB/s between GPUs of a node")
    parser.add_argument("--between", type=float, default=25.0, help="GB/s between nodes")
    parser.add_argument("--latency", type=float, default=10.0, help="µs of a message")
    asked = parser.parse_args()
    links = Links(asked.inside * 1e9, asked.between * 1e9, latency=asked.latency * 1e-6)
    print("\n".join(table(asked.turns, asked.batch, asked.gpus, asked.fixed / 1000, links)))


if __name__ == "__main__":
    main()
