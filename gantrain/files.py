"""Files of a run's folder, which may be a stranger's: no link in it is followed, and no file is there by halves."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from gantrain.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk that has no room."""
BLOCK = 512
"""Bytes, in which systems count the room that a file has."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def refuse_link(path: Path) -> Path:
    """The path, which may be missing but is no link.

    Raises:
        UserError: it is a link, and would be followed to who knows where.
    """
    if path.is_symlink():
        raise UserError(f"{path} is a link, and none is followed inside a run's folder: put what it stands for there")
    return path


def read_text(file: Path) -> str:
    """The text of a file that is no link.

    Raises:
        UserError: it is a link, or no regular file.
        FileNotFoundError: it is not there.
    """
    with open(_open(file, os.O_RDONLY), encoding="utf-8") as stream:
        return stream.read()


def read(file: Path) -> BinaryIO:
    """A file that is no link, opened to read bytes from; raises as `read_text`."""
    return open(_open(file, os.O_RDONLY), "rb")


def append(file: Path) -> TextIO:
    """A file that is no link, opened to add lines to.

    Raises:
        UserError: it is a link, or no regular file, or known by a second name elsewhere.
    """
    return open(_open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a", encoding="utf-8")


def write_text(file: Path, text: str, sync: bool = True) -> None:
    """Puts a file with this text in the place of whatever is there; `sync` as in `replacing`."""
    with replacing(file, sync) as stream:
        stream.write(text.encode())


def write_over(file: Path, text: str) -> None:
    """Puts this text into the room that a file has, for want of any other.

    Raises:
        UserError: it is a link, or no regular file.
        OSError: it is not there, or has not room enough.
    """
    written = text.encode()
    with open(_open(file, os.O_RDWR), "r+b") as stream:
        facts = os.fstat(stream.fileno())
        if len(written) > getattr(facts, "st_blocks", 0) * BLOCK:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        stream.write(written)
        stream.truncate()


@contextmanager
def replacing(file: Path, sync: bool = True) -> Iterator[BinaryIO]:
    """A stream whose bytes take the place of the file once all are written and synced; a link there goes away.

    They are written under a fresh name beside it, which is removed where writing fails.

    Args:
        sync: wait until the disk has them. Without it the file is whole too, but may be lost where power fails.

    Raises:
        UserError: what is there is a device, a pipe or a folder.
    """
    if not file.is_symlink() and file.exists() and not file.is_file():
        raise UserError(f"{file} is no file: choose another name")
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    number = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with open(number, "wb") as stream:
            yield stream
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        partial.replace(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def folder_in(home: Path, name: str) -> Path:
    """The folder of this name inside a run's, made where it is missing.

    Raises:
        UserError: it is a link.
    """
    folder = refuse_link(home / name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _open(file: Path, flags: int) -> int:
    refuse_link(file)  # where the system has no flag for it
    try:
        number = os.open(file, flags | _NO_LINK, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            refuse_link(file)
        raise
    facts = os.fstat(number)
    if not stat.S_ISREG(facts.st_mode) or (flags & os.O_APPEND and facts.st_nlink > 1):
        os.close(number)
        raise UserError(f"{file} is no file of its own: remove it")
    return number
