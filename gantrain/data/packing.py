"""How many picture files become one pack."""

from __future__ import annotations

import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from gantrain.data.originals import Original, Originals
from gantrain.data.wholeness import allocated
from gantrain.errors import UserError
from gantrain.untrusted import printable

NAMED = 10
"""Broken files that are named one by one."""
QUIET = 15.0
"""Seconds after which it is said how far the reading is."""
Read = TypeVar("Read")
GROUP = 8
"""Files that a thread reads in one go: each handing over costs about a tenth of reading a small picture."""
AHEAD = 4
"""Groups for each thread that are read before they are asked for, so that decoded pictures never pile up in memory."""


def read_each(files: Sequence[Path], read: Callable[[Path], Read]) -> Iterator[Read | Exception]:
    """What reading each file gives, in order, by a thread on each core; the error of those that cannot be read."""

    def attempt(file: Path) -> Read | Exception:
        try:
            return read(file)
        except Exception as error:  # decoders raise anything on broken files
            return error

    threads = min(16, os.cpu_count() or 1)
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large, but below what PIL refuses
        reading: deque[Future[list[Read | Exception]]] = deque()
        for start in range(0, len(files), GROUP):
            reading.append(pool.submit(lambda group: [attempt(file) for file in group], files[start : start + GROUP]))
            if len(reading) > AHEAD * threads:
                yield from reading.popleft().result()
        while reading:
            yield from reading.popleft().result()


def pack_pictures(
    files: list[Path],
    top: Path,
    folder: Path,
    read: Callable[[Path], tuple[np.ndarray, Original]],
    shape: Sequence[int],
    say: Callable[[str], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Reads pictures with a few threads into a memory map in `folder`; broken ones are left out, the first ones named.

    What the files were is noted there too, under their names from `top` on.

    Returns:
        the memory map uint8 (N, C, H, W) and the indices (N,) of the files that it holds.

    Raises:
        UserError: more than half of the files are broken.
    """
    kept: list[int] = []
    originals, told = Originals(), time.monotonic()
    whole = allocated(folder / "all.npy.part", (len(files), *shape), np.uint8)
    for index, found in enumerate(read_each(files, read)):
        name = printable(str(files[index].relative_to(top)))
        if isinstance(found, Exception):
            originals.broken[name] = _reason(found, files[index])
            if len(originals.broken) <= NAMED:
                say(f"data: skipped {name}: {originals.broken[name]}")
        else:
            whole[len(kept)] = found[0]
            originals.keep(name, found[1])
            kept.append(index)
        if time.monotonic() - told > QUIET:
            say(f"data: {index + 1:,} of {len(files):,} pictures read")
            told = time.monotonic()
    if originals.broken:
        say(f"data: {len(originals.broken):,} of {len(files):,} pictures are broken and were skipped")
    if done := originals.treated(shape[0]):
        say(f"data: {'; '.join(done)}")
    _refuse_ruins(originals.broken, len(files), top)
    originals.write(folder)
    return _cut(whole, len(kept), folder), np.asarray(kept)


def _refuse_ruins(broken: Mapping[str, str], count: int, top: Path) -> None:
    """Raises UserError where more than half of the files are broken."""
    if len(broken) * 2 > count:
        first, reason = next(iter(broken.items()))
        raise UserError(
            f"{len(broken):,} of {count:,} pictures in {top} cannot be read, {first} first ({reason}): mend or remove "
            "them"
        )


def _reason(error: Exception, file: Path) -> str:
    """What was wrong with a file, in PIL's words where they say more than its name."""
    if isinstance(error, UnidentifiedImageError):
        return "it is no picture, or of a format other than its name says" if file.stat().st_size else "it is empty"
    return printable(" ".join(str(error).split()))[:200]


def _cut(whole: np.memmap, count: int, folder: Path) -> np.memmap:
    """The first `count` pictures of the memory map all.npy.part, as real.npy in its place."""
    if count == len(whole):
        (folder / "all.npy.part").rename(folder / "real.npy")
        return whole
    real = allocated(folder / "real.npy", (count, *whole.shape[1:]), np.uint8)
    for start in range(0, count, 4096):
        real[start : start + 4096] = whole[start : min(start + 4096, count)]
    (folder / "all.npy.part").unlink()
    return real
