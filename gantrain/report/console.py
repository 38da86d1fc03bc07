"""What is printed, and the log that keeps it."""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import suppress
from typing import TextIO

from tqdm import tqdm

from gantrain.terminal import unless_unread
from gantrain.untrusted import printable, printable_lines


class Console:
    """Prints lines and writes them to the run's log once there is one; lines said before are written then.

    Args:
        quiet: nothing is printed, and nothing kept.
        log_only: nothing is printed; the log has all.
    """

    def __init__(self, quiet: bool = False, log_only: bool = False) -> None:
        self.quiet, self.log_only = quiet, log_only
        self._waiting: list[str] = []
        self._file: TextIO | None = None
        self._said_once: set[str] = set()

    def say(self, text: str) -> None:
        """Prints lines, in which no name from elsewhere moves the terminal's cursor or changes its colours."""
        if self.quiet:
            return
        text = printable_lines(text)
        self.show(text)
        self.note(text)

    def show(self, text: str) -> None:
        """On the screen only, unless all goes to the log alone."""
        if not self.log_only:
            with unless_unread(sys.stdout), tqdm.external_write_mode(sys.stdout):
                print(text, flush=True)

    def say_once(self, text: str) -> None:
        """What several steps of a command would say alike."""
        if text not in self._said_once:
            self._said_once.add(text)
            self.say(text)

    def note(self, text: str) -> None:
        """Into the log only."""
        self._waiting.append(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {printable_lines(text)}\n")
        self._write_waiting()

    def keep_in(self, log: TextIO) -> None:
        """From now on into the run's log too, with what was said before; `close` closes it."""
        self._file = log
        self._write_waiting()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_waiting(self) -> None:
        """Past Python's buffers, which would try again when nobody expects it."""
        with suppress(OSError):  # a full disk: it is printed at least, and what waits may find room later
            while self._file is not None and self._waiting:
                os.write(self._file.fileno(), self._waiting[0].encode(errors="backslashreplace"))
                del self._waiting[0]


FEW, LONG = 10, 60.0
"""Steps or seconds from which on speed can be told."""


class Bar:
    """Progress: a bar on a terminal, else a plain line now and then. Speed and time left count from its first step on.

    Args:
        seconds: after which it ends however far it is; None for no such limit.
        every: seconds between plain lines; the first ones come sooner.
    """

    def __init__(
        self,
        console: Console,
        start: int,
        steps: int,
        batch_size: int,
        seconds: float | None = None,
        every: float = 15.0,
    ) -> None:
        self._seconds = math.inf if seconds is None else seconds
        self._console, self._steps, self._batch = console, steps, batch_size
        self._since = self._last = start, 0.0
        self._began = time.monotonic()
        self._settled: tuple[int, float] | None = None
        self._every, self._next = every, 2.0
        self._text = ""
        self._bar = (
            tqdm(total=steps, initial=start, unit=" steps", dynamic_ncols=True, leave=True, file=sys.stdout)
            if sys.stdout.isatty() and not (console.quiet or console.log_only)
            else None
        )

    def show(self, losses: dict[str, float]) -> None:
        """The latest losses, beside the bar."""
        self._text = "  ".join(f"{printable(name)} {value:.3g}" for name, value in losses.items())

    def at(self, step: int) -> None:
        elapsed = time.monotonic() - self._began
        if step <= self._last[0]:  # it went back, and counts anew
            self._since, self._settled = (step - 1, self._last[1]), None
        since, before = self._settled or self._since
        speed = (step - since) / max(elapsed - before, 1e-9)
        known = step - since >= FEW or elapsed - before >= LONG
        self._settled = self._settled or (step, elapsed)  # the first step makes what later ones find
        self._last = step, elapsed
        text = f"{self._text}  {speed * self._batch:,.0f} images/s" if known or step == self._steps else self._text
        if self._bar is not None:
            with unless_unread(sys.stdout):
                self._bar.set_postfix_str(text, refresh=False)
                self._bar.update(step - self._bar.n)
        elif elapsed >= self._next or step == self._steps:
            steps = (self._steps - step) / speed if known or step == self._steps else math.inf
            left = min(steps, max(self._seconds - elapsed, 0.0))
            then = f", {clock(left)} left" if known or step == self._steps or math.isfinite(self._seconds) else ""
            self._console.say(f"step {step:,} of {self._steps:,}  {text}  {clock(elapsed)} gone{then}")
            self._next = max(self._next * 2, elapsed) if elapsed < self._every else elapsed + self._every

    def close(self) -> None:
        if self._bar is not None:
            with unless_unread(sys.stdout):
                self._bar.close()


def clock(seconds: float) -> str:
    """A span of time as minutes and seconds, with hours where there are some."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
