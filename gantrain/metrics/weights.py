"""Files of published weights: where one lies, how it is fetched and verified, and what is read out of it."""

from __future__ import annotations

import hashlib
import pickle
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gantrain.errors import UserError
from gantrain.files import replacing
from gantrain.metrics.torchscript import is_torchscript, read_torchscript
from gantrain.untrusted import BROKEN, printable, read_tensors

FOLDER = "weights"
"""Below the cache: where downloaded files lie."""
PART = 2**20
PATIENCE = 30
"""Seconds without an answer after which a download is given up."""


@dataclass(frozen=True)
class Published:
    """A file of weights as its authors publish it."""

    name: str
    url: str
    size: int
    sha256: str
    others: tuple[str, ...] = ()
    """Names under which other programs keep the same file."""

    def __str__(self) -> str:
        return f"{self.name} ({self.size:,} bytes, sha256 {self.sha256})"


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and the sha256 of the file that they came from."""

    tensors: Mapping[str, Tensor]
    sha256: str


def weights_of(
    published: Published, given: str | None, setting: str, cache: Path, say: Callable[[str], None]
) -> Weights:
    """The weights out of the file that is given, or out of the published one.

    That is looked for below the cache and where torch.hub keeps its downloads, and else downloaded into the cache.

    Args:
        given: a file of the user's, of which no checksum is asked.
        setting: where the user gives one.

    Raises:
        UserError: it is not there and cannot be fetched, is another file, or cannot be read.
    """
    if given is not None:
        file = Path(given).expanduser()
        if not file.is_file():
            raise UserError(f"{setting}={given}: there is no such file: give {published}, from {published.url}")
        return _read(file, published)
    folders = (cache / FOLDER, Path(torch.hub.get_dir()) / "checkpoints")
    places = [folder / name for folder in folders for name in (published.name, *published.others)]
    file = next((place for place in places if place.is_file()), places[0])
    if not file.is_file():
        _download(published, file, setting, say)
    found = _sha256(file)
    if found != published.sha256:
        raise UserError(
            f"{file} is damaged or another file: its sha256 is {found[:8]}…, that of the published one is "
            f"{published.sha256[:8]}…: remove it, or set {setting}=<its path> if it is meant to be another"
        )
    return _read(file, published)


def _download(published: Published, file: Path, setting: str, say: Callable[[str], None]) -> None:
    say(f"metrics: fetching {published.name}, {published.size / 1e6:,.0f} MB, once")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(published.url, timeout=PATIENCE) as answer, replacing(file) as stream:
            digest, size = hashlib.sha256(), 0
            while part := answer.read(PART):
                digest.update(part)
                size += len(part)
                if size > published.size:
                    break
                stream.write(part)
            if digest.hexdigest() != published.sha256:
                raise OSError(f"what came is not the published file: {size:,} bytes")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"the weights {published} are not there and could not be downloaded ({reason}): put the file into "
            f"{file.parent}, from {published.url}, or set {setting}=<its path>"
        ) from error


def _read(file: Path, published: Published) -> Weights:
    """The tensors of a file; nothing in it is run.

    Raises:
        UserError: it holds anything else, or cannot be read.
    """
    try:
        if is_torchscript(file):
            held: Any = read_torchscript(file)
        else:
            with file.open("rb") as stream:
                held = read_tensors(stream)
        if not isinstance(held, Mapping) or not all(isinstance(value, Tensor) for value in held.values()):
            raise ValueError("it holds more than tensors by name")
    except (*BROKEN, OSError) as error:
        reason = printable(" ".join(str(error).split()))[:200]
        reason = "it holds objects that are no tensors" if isinstance(error, pickle.UnpicklingError) else reason
        raise UserError(
            f"{file} cannot be read as weights ({reason}): give {published}, from {published.url}"
        ) from error
    return Weights({str(name): value for name, value in held.items()}, _sha256(file))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
