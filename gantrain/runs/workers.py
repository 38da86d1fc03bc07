"""Processes that work on one search at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gantrain.errors import UserError
from gantrain.files import append, read_text, refuse_link
from gantrain.locks import is_locked, locked


class Workers:
    """Who works on a search, each with as many trials as it has taken and not ended.

    A process that was killed has none: the system lets go of its lock.

    Args:
        path: of the folder with a file for each process, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own: Path | None = None

    @contextmanager
    def joined(self, number: int) -> Iterator[None]:
        """Within, this process is one of them, by a number that no other has had.

        Raises:
            UserError: the folder or the file is a link.
            OSError: they cannot be made.
        """
        refuse_link(self.path).mkdir(exist_ok=True)
        self._own = self.path / str(number)
        with locked(self._own):
            yield
        self._own.unlink(missing_ok=True)

    def take(self, count: int) -> None:
        """From now on this process has so many trials.

        Raises:
            OSError: there is no room to write it down.
        """
        assert self._own is not None, "it has joined"
        with append(self._own) as stream:
            stream.write(f"{count}\n")

    def others(self) -> list[int]:
        """How many trials each other living process has taken."""
        return [_taken(file) for file in self.path.iterdir() if file != self._own and is_locked(file)]


def _taken(file: Path) -> int:
    with suppress(OSError, UserError, ValueError, IndexError):
        return int(read_text(file).splitlines()[-1])
    return 0  # it has taken none yet, or gone meanwhile
