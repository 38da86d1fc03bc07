"""What tells data from others of their kind."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from gantrain.data.source import Source

OTHER = ("augment", "part", "sorted")
"""Settings of how samples are shown, and of which are asked for."""


def identity_of(source: Source) -> str:
    """Six hexadecimal digits over what samples of a source depend on: its settings, and the files of the user's own.

    Where these lie does not count, nor how samples are augmented, so that runs on two machines are told alike.
    """
    return hashlib.sha256(repr((type(source).__name__, _settings(source))).encode()).hexdigest()[:6]


def _settings(source: Source) -> list[tuple[str, Any]]:
    return [(name, _plain(value)) for name, value in sorted(vars(source).items()) if name not in OTHER]


def _plain(value: Any) -> Any:
    """A value as such, whichever process asks: what is neither plain nor known of is left out."""
    if isinstance(value, Source):
        return _settings(value)
    if isinstance(value, Path):
        return _contents(value)
    if isinstance(value, Tensor):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return [(str(key), _plain(inner)) for key, inner in sorted(value.items(), key=lambda entry: str(entry[0]))]
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (str, int, float, bool)) else None


def _contents(path: Path) -> Any:
    """What is in a file, or the names and sizes of files in a folder."""
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    below = [Path(folder, name) for folder, _, names in os.walk(path, followlinks=True) for name in names]
    return sorted((os.fsencode(file.relative_to(path)), file.stat().st_size) for file in below if file.is_file())
