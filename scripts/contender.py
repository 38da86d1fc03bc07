"""One of those that benchmark.py lets race, in a process of its own: reads how many steps to play, says what they took.

    python scripts/contender.py gantrain|reference|bare dataset=ring8 …

Its own process keeps threads, flags and memory apart; PYTHONPATH says which checkout it is of. A line of JSON answers
each line of its input: a number of steps, `facts` or `peak`.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import torch
from textbook import Bare, Textbook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gantrain.commands.parts import Parts, begin, build_parts, build_rounds
from gantrain.config import complete, compose, hydra_at
from gantrain.data import Batches
from gantrain.training.eager import Eager

PEAK_SIDE = {"cpu": 2048, "cuda": 8192}
"""Of the square matrices whose product is the machine's peak."""


class Counter(TorchDispatchMode):
    """Counts operations as they are played: PyTorch's own counter stumbles over gradients by a network's input."""

    flop = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        self.flop += count(*args, **(kwargs or {}), out_val=made) if count else 0
        return made


def held() -> int:
    """Bytes of main memory, the most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Contender:
    """What plays steps.

    Args:
        kind: gantrain, reference or bare.
    """

    def __init__(self, kind: str, cfg: Any, parts: Parts, batches: Batches) -> None:
        self.parts, self.batches, self.device = parts, batches, parts.machine.device
        importlib.import_module("torch._dynamo")  # an optimizer's own step loads it, which is not memory of the step
        self.before = held()
        rounds = build_rounds(cfg, parts, batches, print)
        begin(rounds)
        self.step: Callable[[], object]
        self.rounds = rounds
        if kind == "gantrain":
            self.step = lambda: rounds.play(parts.progress)
            self.images = cfg.trainer.batch_size
        else:
            loop = {"reference": Textbook, "bare": Bare}[kind](
                parts, batches, cfg.trainer.batch_size, rounds.reuses_fakes
            )
            self.step, self.images = loop.step, loop.n

    def play(self, steps: int) -> dict[str, float]:
        """Seconds by the wall's clock and by the processor's, and those spent waiting for data."""
        waited = self.batches.waited
        synchronise(self.device)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            self.step()
        synchronise(self.device)
        times = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        return times | {"waited": self.batches.waited - waited}

    def facts(self) -> dict[str, Any]:
        """Operations of a step, counted as they are played: one by one, which compiled code does not do."""
        execution, self.rounds.execution = self.rounds.execution, Eager(self.rounds.game, self.parts.machine)
        with Counter() as counter:
            self.step()
        self.rounds.execution = execution
        return {
            "flop": counter.flop,
            "images": self.images,
            "machine": str(self.parts.machine),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }

    def peak(self) -> dict[str, Any]:
        """Bytes that building and playing took; and operations a second of a large product of matrices, the best of a
        few, by each clock: by the processor's, of all threads together."""
        cuda = self.device.type == "cuda"
        took = torch.cuda.max_memory_allocated(self.device) if cuda else held() - self.before
        side, dtype = PEAK_SIDE.get(self.device.type, 2048), self.parts.machine.dtype
        a, b = (torch.randn(side, side, device=self.device, dtype=dtype) for _ in range(2))
        self.step = lambda: torch.mm(a, b)
        blocks = [self.play(1) for _ in range(12)]
        return {
            "memory": took,
            "peak": {clock: 2 * side**3 / min(x[clock] for x in blocks) for clock in ("wall", "cpu")},
        }


def main(kind: str, *words: str) -> None:
    with hydra_at():
        cfg = complete(compose(words))
    parts = build_parts(cfg, None, lambda text: print(text, file=sys.stderr))
    with closing(parts.source.open(parts.context)) as batches:
        contender = Contender(kind, cfg, parts, batches)
        for line in sys.stdin:
            word = line.strip()
            answer = contender.play(int(word)) if word.isdigit() else getattr(contender, word)()
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
