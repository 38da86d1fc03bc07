"""Locks between processes, of which the system lets go when the process ends, however that comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from gantrain.errors import UserError
from gantrain.files import append, read

fcntl: Any
try:
    import fcntl
except ImportError:  # a system without such locks
    fcntl = None

TRIES = 5
"""Whoever asks whether a lock is held holds it himself for a moment."""
WAIT = 0.05
"""Seconds between two tries."""


@contextmanager
def locked(file: Path, wait: bool = True) -> Iterator[bool]:
    """Holds a lock which one process at a time has; whether it is held, or could be by anybody.

    Where the disk has no locks nobody is kept out.

    Args:
        file: that stands for it, made where it is missing, and which stays.
        wait: until it is free, however long that takes.

    Raises:
        UserError: the file is a link.
        OSError: it cannot be made.
    """
    with append(file) as stream:
        yield _lock(stream, wait) is not False  # closing the file gives the lock back


def is_locked(file: Path) -> bool | None:
    """Whether a process holds the lock; None where that cannot be told."""
    try:
        with read(file) as stream:
            taken = _lock(stream, wait=False, shared=True)  # so that who asks at the same time is not misled
    except (OSError, UserError):
        return None
    return None if taken is None else not taken


class OwnLock:
    """A lock by which an object knows whether it is the one that holds it.

    Args:
        file: that stands for the lock.

    Attributes:
        mine: whether it is held by this object.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.mine = False

    @contextmanager
    def hold(self, refusal: Callable[[], UserError]) -> Iterator[None]:
        """Holds the lock.

        Raises:
            UserError: another process does; `refusal` says so. Or the file is a link, or cannot be made.
        """
        with ExitStack() as held:
            try:
                for _ in range(TRIES):
                    taken = held.enter_context(locked(self.file, wait=False))
                    if taken:
                        break
                    time.sleep(WAIT)
            except OSError as error:
                raise UserError(
                    f"{self.file.parent} cannot be written to ({error.strerror}): copy it to where it can"
                ) from error
            if not taken:
                raise refusal()
            self.mine = True
            try:
                yield
            finally:
                self.mine = False

    def is_held(self) -> bool | None:
        """Whether a process holds the lock; None where that cannot be told."""
        return is_locked(self.file)


def _lock(stream: IO[Any], wait: bool, shared: bool = False) -> bool | None:
    """Whether an open file is locked now, for one or `shared` by many; None where system or disk have no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True
