"""The files of CIFAR-10, which are pickles: read as the lists, words and pixels that they hold, and nothing else."""

from __future__ import annotations

import pickle
import tarfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from gantrain.files import replacing
from gantrain.untrusted import BROKEN, DataUnpickler

PIXELS = 3 * 32 * 32
LARGEST = 2**26
"""Bytes of a file: more than any of them has."""


def read_batch(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 (N, 3, 32, 32) and their labels, int64 (N,) from 0 to 9, of one file.

    Raises:
        ValueError: it is damaged, or holds anything else.
    """
    try:
        held = DataUnpickler(content, KNOWN, encoding="latin1").load()
        pixels, labels = held["data"].values, held["labels"]
        whole = all(type(label) is int and 0 <= label < 10 for label in labels)
        if pixels.shape != (len(labels), PIXELS) or not whole:
            raise ValueError("its pictures and labels are none of CIFAR-10's")
    except BROKEN as error:
        raise ValueError(f"{error}" or "it ends too early") from error
    return pixels.reshape(-1, 3, 32, 32), np.asarray(labels, dtype=np.int64)


def unpack(archive: Path, folder: Path, names: Collection[str]) -> None:
    """Puts the files of these names out of a tar archive into a folder; whatever else it holds stays in it.

    Raises:
        ValueError: it is damaged, or lacks one of them.
    """
    missing = set(names)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:gz") as held:
            for member in held:  # a name outside the list, a link or a device is passed by
                place, _, name = member.name.rpartition("/")
                if place == folder.name and name in missing and member.isreg() and member.size <= LARGEST:
                    source = held.extractfile(member)
                    assert source is not None, "a regular file"
                    with replacing(folder / name) as stream:
                        stream.write(source.read())
                    missing.remove(name)
                if not missing:
                    return
    except (tarfile.TarError, EOFError, *BROKEN) as error:
        raise ValueError(f"{archive} is damaged: {error}") from error
    raise ValueError(f"{archive} is damaged: it lacks {', '.join(sorted(missing))}")


class _Array:
    """Stands for an array of NumPy, of which only bytes are read."""

    def __init__(self, *_: Any) -> None:
        self.values = np.empty(0, np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, content = state
        if not isinstance(kind, _Kind) or kind.name not in ("u1", "uint8") or by_columns:
            raise pickle.UnpicklingError("its pixels are no bytes in rows")
        values = content.encode("latin1") if isinstance(content, str) else content
        self.values = np.frombuffer(values, np.uint8).reshape(shape)


class _Kind:
    """Stands for NumPy's type of an array's values."""

    def __init__(self, name: str, *_: Any) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        """Of bytes nothing more is to be known."""


KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _Kind,
}
"""All that these pickles name."""
