"""A checksum inside each checkpoint: the archive that torch writes is a zip, and a zip may end in a comment."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

import torch

KIND = b"sha256:"
"""How the comment begins; the hash follows, in hexadecimal digits, over the archive as it was without a comment."""
COUNT = 2
"""Bytes before a zip's comment that say how long it is: 0 in the archive that the hash is over."""
AT_ONCE = 2**20


def save_with_checksum(state: Mapping[str, Any], stream: BinaryIO) -> None:
    """Writes what `torch.load` reads, its hash at the end.

    Raises:
        OSError: the disk does not take it.
    """
    hashed = _Hashed(stream)
    try:
        torch.save(dict(state), cast(Any, hashed))
    except RuntimeError as error:  # torch does not hand on why a writing failed
        raise hashed.failed or error from None
    comment = KIND + hashed.digest.hexdigest().encode()
    stream.seek(-COUNT, os.SEEK_END)
    stream.write(len(comment).to_bytes(COUNT, "little") + comment)


def verify(stream: BinaryIO) -> None:
    """Reads an archive through and goes back to its start.

    One without a hash, of another program or an earlier version, is held to the weaker sums that every zip has.

    Raises:
        ValueError, zipfile.BadZipFile: not every byte is as it was written.
    """
    stream.seek(0)
    with zipfile.ZipFile(stream) as archive:
        comment = archive.comment
        if not comment:
            _verify_members(archive)
    if comment:
        size = stream.seek(0, os.SEEK_END) - len(comment) - COUNT
        digest = hashlib.sha256()
        stream.seek(0)
        while size > 0:
            part = stream.read(min(AT_ONCE, size))
            digest.update(part)
            size -= len(part)
        said = int.from_bytes(stream.read(COUNT), "little")
        digest.update(bytes(COUNT))
        if said != len(comment) or comment != KIND + digest.hexdigest().encode():
            raise ValueError("its checksum is another")
    stream.seek(0)


def _verify_members(archive: zipfile.ZipFile) -> None:
    if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
        raise ValueError("torch compresses nothing")
    if (name := archive.testzip()) is not None:
        raise ValueError(f"{name} has another checksum")


class _Hashed:
    """Takes what torch writes, and hashes it on the way to the file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.failed: BaseException | None = None

    def write(self, part: bytes) -> int:
        self.digest.update(part)
        try:
            return self._stream.write(part)
        except BaseException as error:  # a full disk, or a signal
            self.failed = error
            raise

    def flush(self) -> None:
        self._stream.flush()
