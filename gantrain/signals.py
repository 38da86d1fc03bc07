"""Signals that end a run: raised where nothing is at stake, noted where a step is to be finished and saved."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeVar

from gantrain.errors import Stopped

ENDING = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1") if hasattr(signal, n)]
"""By hand, by a scheduler, by a terminal that is closed, and by Slurm some time before the end of a job."""
Handlers = dict[int, signal.Handlers | Callable[[int, FrameType | None], object]]
Result = TypeVar("Result")


class _Interrupted(BaseException):
    """A signal came while something was done that can be done again."""


class NotedSignals:
    """What came since.

    Attributes:
        first: the signal that came first; None where there was none.
    """

    def __init__(self) -> None:
        self.first: signal.Signals | None = None
        self.interruptible = False

    def unless_stopped(self, call: Callable[[], Result]) -> Result | None:
        """What a call gives that can be made again later; None where a signal came before or while it was made."""
        if self.first is not None:
            return None
        try:
            self.interruptible = True
            try:
                return call()
            finally:
                self.interruptible = False
        except _Interrupted:
            return None


@contextmanager
def raised_signals(first: Callable[[signal.Signals], None] | None = None) -> Iterator[None]:
    """Inside, a signal raises `Stopped`, so that whatever was begun is cleared away; the next one ends the process.

    Args:
        first: is told which it is, and done before it is raised; another one breaks it off and acts as outside.
    """
    before = _obeyed()

    def stop(number: int, _: FrameType | None) -> None:
        for other in before if not _NOTING.launched else [number]:
            signal.signal(other, signal.SIG_DFL if first is None else before[other])
        if first is not None:
            first(signal.Signals(number))
        stopped = Stopped(number)
        stopped.at_once = first is None
        raise stopped

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


class _Noting:
    """What runs that train at once note together, whichever of them ends first: a signal is for the process.

    Attributes:
        launched: a launcher hands on in its own way what this process was told already.
    """

    def __init__(self) -> None:
        self.users = 0
        self.noted = NotedSignals()
        self.launched = False
        self._before: Handlers = {}
        self._aloud = False
        self._alone = True

    def begin(self, aloud: bool, alone: bool) -> None:
        self.users += 1
        if self.users == 1:
            self.noted, self._before = NotedSignals(), _obeyed()
            self._aloud, self._alone = aloud, alone and not self.launched
            for number in self._before:
                signal.signal(number, self.note)

    def note(self, number: int, _: FrameType | None) -> None:
        noted = self.noted
        first, noted.first = noted.first, noted.first or signal.Signals(number)
        for other in self._before if self._alone else [number]:
            signal.signal(other, self._before[other])
        if first is not None:
            return
        if self._aloud:
            say(f"{noted.first.name} received: this step is finished and saved, another signal stops at once")
        if noted.interruptible:
            raise _Interrupted

    def end(self) -> None:
        self.users -= 1
        for number, former in self._before.items() if not self.users else ():
            if signal.getsignal(number) == self.note:  # else a signal has come, and the next one acts
                signal.signal(number, former)


_NOTING = _Noting()


@contextmanager
def launched_by_another() -> Iterator[None]:
    """Inside, a process that works for another heeds signals as that one does; outside it leaves Ctrl-C to that one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _NOTING.launched = True
    try:
        with raised_signals():
            yield
    finally:
        _NOTING.launched = False
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def noted_signals(aloud: bool = False, alone: bool = True) -> Iterator[NotedSignals]:
    """Inside, a first signal is noted so that the step can be finished; a second one acts at once, as it would outside.

    Runs that train at once note the same.

    Args:
        aloud: it is said at once what will be done.
        alone: without this only a second one of the same kind acts: a launcher hands on in its own way, as SIGTERM,
            what each of its processes was told already.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
        yield NotedSignals()
        return
    _NOTING.begin(aloud, alone)
    try:
        yield _NOTING.noted
    finally:
        _NOTING.end()


def _obeyed() -> Handlers:
    """Handlers of the signals that end a run, without those that whoever started it has it ignore, as nohup does."""
    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
        return {}
    found = {number: signal.getsignal(number) for number in ENDING}
    return {n: handler for n, handler in found.items() if handler is not None and handler is not signal.SIG_IGN}  # type: ignore[misc]


def say(text: str) -> None:
    """Past Python's buffers, which may be in use by what the signal came into."""
    start = "\n" if sys.stderr is not None and sys.stderr.isatty() else ""
    with suppress(OSError):  # the terminal was closed: nobody reads it
        os.write(2, f"{start}gantrain: {text}\n".encode())
