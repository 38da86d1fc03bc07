"""What is printed, whoever still reads it: a terminal that was closed, or a reader that is gone, ends nothing."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

GONE = {errno.EIO, errno.EPIPE, errno.ENXIO, errno.EBADF}
"""Of a terminal that hung up, and of a pipe that nobody reads."""


def show(text: str, stream: TextIO | None = None) -> None:
    """Prints lines at once, on standard output unless another stream is given."""
    stream = sys.stdout if stream is None else stream
    with unless_unread(stream):
        print(text, file=stream, flush=True)


@contextmanager
def unless_unread(stream: TextIO) -> Iterator[None]:
    """Inside, what the stream does not take is left out; where nobody is there to read, so is all that follows."""
    try:
        yield
    except OSError as error:
        with suppress(OSError, ValueError):
            if error.errno in GONE:  # else Python tries again when it ends, and ends with another exit code
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def print_any_letters() -> None:
    """Has standard output take every letter, those that its encoding lacks by their number."""
    with suppress(AttributeError, OSError, ValueError):  # a stream of another kind
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
