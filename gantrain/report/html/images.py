"""Pictures and sounds inside a page: WebP and WAV as data addresses."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gantrain.errors import UserError
from gantrain.files import read

LOSSLESS = 48_000
"""Bytes up to which a picture stays as it is, pixel by pixel."""
SIDE = 1024
"""Pixels of the longer side, at most."""
BUDGET = 5_000_000
"""Letters that all pictures of a page may take together."""
SOUND_BUDGET = 3_000_000
"""Bytes that all sounds of a page may take together."""
PLENTY = 20
"""Pictures over time, at most."""


def data_address(file: Path, lossless: int = LOSSLESS, side: int = SIDE) -> str | None:
    """A PNG picture as a data address, lossless where that is small; None where it is missing, a link or damaged."""
    try:
        with read(file) as stream:
            picture = Image.open(stream, formats=["PNG"]).convert("RGB")
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
    ):  # a damaged file; a link
        return None
    if max(picture.size) > side:
        picture.thumbnail((side, side))
    return "data:image/webp;base64," + base64.b64encode(_webp(picture, lossless)).decode()


def data_addresses(files: Sequence[Path], lossless: int = LOSSLESS, side: int = SIDE) -> list[str | None]:
    """Those of several pictures: as large as fits into the page together."""
    while True:
        found = [data_address(file, lossless, side) for file in files]
        if side <= 64 or sum(len(address or "") for address in found) <= BUDGET:
            return found
        side //= 2


def sound_addresses(files: Mapping[str, Path]) -> dict[str, str]:
    """WAV files as data addresses, by name: as many of them, from the first on, as fit into the page together.

    Those that are missing, links or no WAV are left out.
    """
    found: dict[str, str] = {}
    left = SOUND_BUDGET
    for name, file in files.items():
        try:
            with read(file) as stream:
                content = stream.read(left + 1)
        except (OSError, UserError):  # UserError: a link
            continue
        if content[:4] != b"RIFF" or len(content) > left:
            continue
        left -= len(content)
        found[name] = "data:audio/wav;base64," + base64.b64encode(content).decode()
    return found


def chosen(files: Sequence[Path], most: int = PLENTY) -> list[Path]:
    """Some of these, evenly over time, the first and the last among them."""
    if len(files) <= most:
        return list(files)
    return [files[round(k)] for k in np.linspace(0, len(files) - 1, most)]


def _webp(picture: Image.Image, lossless: int) -> bytes:
    """Small pictures keep every pixel; larger ones are as good as photographs are."""
    exact = io.BytesIO()
    picture.save(exact, "WEBP", lossless=True, quality=0, method=0)  # ten times as fast, and half as large again
    if exact.tell() <= lossless:
        return exact.getvalue()
    small = io.BytesIO()
    picture.save(small, "WEBP", quality=82, method=2)
    return min(exact.getvalue(), small.getvalue(), key=len)
