"""What a round of several seeds costs when it is played at once, against one seed after the other.

    python scripts/replica_times.py dataset=ring8 --replicas 10
    python scripts/replica_times.py dataset=gaussian1d --replicas 10 --rounds 100

Times are the process's own seconds on the CPU, and by the clock: others may use the machine too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from gantrain.commands.parts import begin, build_parts, build_rounds, open_data
from gantrain.config import complete, compose, hydra_at
from gantrain.training.ranks import ALONE
from gantrain.training.replicas import Replicas
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress

WARM = 10
"""Rounds before the clock starts."""


def rounds_of(words: list[str], seed: int) -> Rounds:
    """The rounds of a new run."""
    with hydra_at(None):
        cfg = complete(compose([*words, f"seed={seed}"], "train"))
    parts = build_parts(cfg, None, print)
    rounds = build_rounds(cfg, parts, open_data(parts, ALONE), print)
    begin(rounds)
    return rounds


def seconds(play: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Of one call, on the CPU and by the clock."""
    for _ in range(WARM):
        play()
    used, began = time.process_time(), time.monotonic()
    for _ in range(rounds):
        play()
    return (time.process_time() - used) / rounds, (time.monotonic() - began) / rounds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=50)
    arguments, words = parser.parse_known_args()
    alone, progress = rounds_of(words, 0), Progress()
    one = seconds(lambda: alone.play(progress), arguments.rounds)
    many = [rounds_of(words, seed) for seed in range(arguments.replicas)]
    replicas, counters = Replicas(many, print), [Progress() for _ in many]
    together = seconds(lambda: replicas.play(counters), arguments.rounds)
    for what, first, all_of_them in zip(("CPU", "clock"), one, together, strict=True):
        apart = first * arguments.replicas
        print(
            f"{what:<6} {1000 * first:.2f} ms alone, {arguments.replicas} of them {1000 * apart:.1f} ms one after the "
            f"other, {1000 * all_of_them:.1f} ms at once: {apart / all_of_them:.1f} times less"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
