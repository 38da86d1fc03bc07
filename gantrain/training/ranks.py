"""The processes that train one run together: here the only one there is. Several are in `processes`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import Tensor, nn

from gantrain.shares import Share

Result = TypeVar("Result")


class DeviceLost(RuntimeError):
    """A process of the run is gone, and the run ends with it."""


class Ranks:
    """A process that trains alone. What it shares with others it has, and all that it decides is agreed on.

    Attributes:
        number, count: of this process among those of the run.
        local, local_count: the same among those of its computer; None where it is alone.
    """

    number: int = 0
    count: int = 1
    local: int | None = None
    local_count: int = 1

    def shares(self, parts: int, unit: int = 1) -> list[Share | None]:
        """What this process plays of each turn, one share after the other; None where it plays it whole.

        Args:
            parts: in which a turn is played one after the other.
            unit: samples that are judged as one.
        """
        if self.count * parts == 1:
            return [None]
        return [Share(self.number, self.count, part, parts, unit, self.add) for part in range(parts)]

    def add(self, x: Tensor) -> Tensor:
        """The sum of a tensor over processes; differentiable any number of times."""
        return x

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Puts the mean of all processes' gradients in their place; one that is missing counts as 0."""

    def mean(self, values: Tensor) -> Tensor:
        """The mean of numbers over processes."""
        return values

    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Puts the first process's values into tensors."""

    def first(self, call: Callable[[], Result]) -> Result:
        """What the first process's call gives, plain values; the others make none and wait, however long it takes."""
        return call()

    def state(self, call: Callable[[], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
        """The same for tensors and plain values, such as a checkpoint."""
        return call()

    def in_turn(self, call: Callable[[], Result]) -> Result:
        """Makes a call on every process, on the first of each computer before the others: it may leave files there."""
        return call()

    def agree(self, stopped: signal.Signals | None, seconds: float) -> tuple[signal.Signals | None, float]:
        """A signal that came to any process, and the first one's time, so that none stops alone."""
        return stopped, seconds

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, an error that another process's end led to becomes `DeviceLost`."""
        yield

    def when_lost(self, tell: Callable[[str], object], way_out: Callable[[], str]) -> None:
        """Says who is told, in a sentence that ends with a way out, of a process that is gone."""

    def __str__(self) -> str:
        return "" if self.count == 1 else f", {self.count} processes"


ALONE = Ranks()
