"""Signals that end a run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class _Noting:
    """The signals that came while somebody notes them, and the handlers from before."""

    def __init__(self) -> None:
        self.users = 0
        self.caught: list[signal.Signals] = []
        self.before: dict[signal.Signals, Any] = {}

    def note(self, number: int, _: FrameType | None) -> None:
        self.caught.append(signal.Signals(number))
        signal.signal(number, self.before[signal.Signals(number)])

    def begin(self) -> None:
        self.users += 1
        if self.users == 1:
            self.caught = []
            self.before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
            for number in self.before:
                signal.signal(number, self.note)

    def end(self) -> None:
        self.users -= 1
        if not self.users:
            for number, handler in self.before.items():
                signal.signal(number, handler)


_NOTING = _Noting()


@contextmanager
def noted_signals() -> Iterator[list[signal.Signals]]:
    """Notes SIGINT and SIGTERM so that the step can be finished; a second one of the same kind acts at once.

    Runs that train at the same time note them together, whichever of them ends first: a signal is for the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    _NOTING.begin()
    try:
        yield _NOTING.caught
    finally:
        _NOTING.end()
