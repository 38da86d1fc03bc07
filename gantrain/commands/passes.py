"""Progress of evaluations: how many samples of how many, and how long it will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from torch import Tensor
from tqdm import tqdm

from gantrain.data import DataContext, Source
from gantrain.metrics import RealData
from gantrain.metrics.evaluation import AT_ONCE, Part
from gantrain.report.console import Console, clock


class PassBar:
    """Tells how far a long pass over samples is: a bar on a terminal, else a plain line now and then.

    Args:
        every: seconds between plain lines; what takes less says nothing.
    """

    def __init__(self, console: Console, every: float = 10.0) -> None:
        self._console, self._every = console, every

    def over(self, parts: Iterator[Tensor], n: int, what: str) -> Iterator[Tensor]:
        """The parts of n samples, watched."""
        began = last = time.monotonic()
        done = 0
        with tqdm(total=n, unit=" samples", desc=what, leave=False, disable=not sys.stdout.isatty()) as bar:
            for part in parts:
                yield part
                done += len(part)
                bar.update(len(part))
                now = time.monotonic()
                if bar.disable and now - last >= self._every and done < n:
                    left = (now - began) / done * (n - done)
                    self._console.say(f"{what}: {done:,} of {n:,} samples, {clock(left)} left")
                    last = now


class CountedRealData(RealData):
    """Real data whose passes are watched."""

    def __init__(self, source: Source, context: DataContext, bar: PassBar) -> None:
        super().__init__(source, context)
        self._bar = bar

    def batches(
        self, part: Part, n: int | None = None, at_once: int = AT_ONCE, start: int = 0
    ) -> Iterator[dict[str, Tensor]]:
        size = n or (self.open(part).size or 0) - start
        waiting: list[dict[str, Tensor]] = []

        def samples() -> Iterator[Tensor]:
            for batch in super(CountedRealData, self).batches(part, n, at_once, start):
                waiting.append(batch)
                yield batch["real"]

        for _ in self._bar.over(samples(), size, "real samples"):
            yield waiting.pop()
