"""Features of real samples on disk, so that another run on the same data need not map it again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from gantrain.files import replacing

FOLDER = "features"
"""Below the cache."""
LIMIT = 8 * 2**30
"""So many bytes may lie there before those that were not used for longest are removed."""


def kept_arrays(cache: Path, space: str, x: Tensor, compute: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """What `compute` gives of samples x in a space: from the disk where it lies there, and put there where it does not.

    The file's name is a hash of the samples and of the space, so that it is right whatever data set they come from. A
    damaged file is computed anew, and one that cannot be written is done without.
    """
    file = cache / FOLDER / f"{_key(space, x)}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        with np.load(file, allow_pickle=False) as held:
            found = {name: torch.from_numpy(held[name]) for name in held.files}  # each has a checksum in the archive
        if found and all(len(values) == len(x) for values in found.values()):
            with contextlib.suppress(OSError):  # another's cache, which can only be read
                os.utime(file)
            return found
    made = dict(compute())
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file, sync=False) as stream:
            _write(stream, made)
        _tidy(file)
    return made


def _key(space: str, x: Tensor) -> str:
    digest = hashlib.sha256(f"{space}|{x.dtype}|{tuple(x.shape)}|".encode())
    digest.update(np.ascontiguousarray(x.numpy()).data)
    return digest.hexdigest()[:32]


def _write(stream: BinaryIO, arrays: Mapping[str, Tensor]) -> None:
    """As `np.load` reads them: uncompressed, each with a checksum."""
    with zipfile.ZipFile(stream, "w") as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, values.numpy(), allow_pickle=False)


def _tidy(made: Path) -> None:
    """Removes the longest unused files beyond the limit, but not the one that was made just now."""
    files = {file: file.stat() for file in made.parent.glob("*.npz") if file != made}
    total = made.stat().st_size
    for file in sorted(files, key=lambda file: files[file].st_mtime, reverse=True):
        total += files[file].st_size
        if total > LIMIT:
            file.unlink(missing_ok=True)
