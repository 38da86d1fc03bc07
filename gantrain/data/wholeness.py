"""Whether a pack is as it was written: sums over its arrays, made when it is packed and looked at when it is opened."""

from __future__ import annotations

import json
import os
import random
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gantrain.errors import UserError
from gantrain.files import FULL

SUMS = "sums.json"
"""Beside the arrays of a pack: the size of each file, and a CRC-32 of every part of it."""
PART = 2**20
"""Bytes."""
LOOKED_AT = 256
"""Parts that are read when a pack is opened: all of a pack up to 256 MiB, of a larger one others each time."""


def write_sums(folder: Path) -> None:
    """Notes what the arrays of a pack are."""
    sums: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("*.npy")):
        with file.open("rb") as stream:
            parts = [zlib.crc32(part) for part in iter(lambda: stream.read(PART), b"")]
        sums[file.name] = {"size": file.stat().st_size, "parts": parts}
    (folder / SUMS).write_text(json.dumps(sums))


def damage(folder: Path) -> str | None:
    """What is wrong with a pack, in a few words; None where nothing was found.

    Names, sizes and headers are held to what was noted, and so are the first part of each file, which has its header,
    and `LOOKED_AT` parts from all over the pack.
    """
    try:
        sums = json.loads((folder / SUMS).read_text())
        places = [(name, k) for name, noted in sums.items() for k in range(1, len(noted["parts"]))]
        if set(sums) != {file.name for file in folder.glob("*.npy")} or "real.npy" not in sums:
            return "other files than were noted"
        for name, noted in sums.items():
            if (folder / name).stat().st_size != noted["size"]:
                return f"{name} has another size"
        chosen = random.SystemRandom().sample(places, min(LOOKED_AT, len(places)))
        for name, k in sorted([*chosen, *((name, 0) for name in sums)]):
            with (folder / name).open("rb") as stream:
                stream.seek(k * PART)
                if zlib.crc32(stream.read(PART)) != sums[name]["parts"][k]:
                    return f"{name} has another checksum"
    except FileNotFoundError:
        return "of an earlier version, or not whole"
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return f"{SUMS} cannot be read"
    return None


def allocated(file: Path, shape: Sequence[int], dtype: Any) -> np.memmap:
    """A new array as a memory map in a file whose room on the disk is taken at once.

    Without that, writing to memory ends the process by a signal where the disk is full.

    Raises:
        OSError: there is no room.
    """
    values = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=tuple(shape))
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as stream:
            try:
                os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
            except OSError as error:
                if error.errno in FULL:
                    raise  # else the file system cannot tell
    return values


@contextmanager
def written_in(cache: Path) -> Iterator[None]:
    """Inside, a cache that cannot be written to is told in a sentence.

    Raises:
        UserError: it cannot.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise
        raise UserError(
            f"the cache {cache} cannot be written to ({error.strerror or error}): set GANTRAIN_CACHE to one that can"
        ) from error


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """Inside, a full disk is told in a sentence.

    Raises:
        UserError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        numpy_says = error.errno is None and "requested and" in str(error)  # … 4096 written
        if error.errno not in FULL and not numpy_says:
            raise
        raise UserError(
            f"packing the data needs more room than {folder} has ({error.strerror or error}): make room there, or set "
            "GANTRAIN_CACHE to a folder on another disk"
        ) from error
