"""Pictures from files: which are taken, how one becomes pixels, and how many become a pack."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from gantrain.errors import UserError

FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
"""The endings of pictures, and the formats that are decoded: PIL knows more, and starts programs for some of them."""

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
WHITES = (1, 2**8 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1)
SAMPLE_FORMAT, UNSIGNED = 339, 1  # a tag of TIFF, and its value where the file says nothing


def pictures_below(folder: Path) -> list[Path]:
    """Every picture below the folder, at any depth, in a stable order.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: set dataset.path to a folder of pictures")
    found = sorted(f for f in folder.rglob("*") if f.suffix.lower() in FORMATS and f.is_file())
    if not found:
        raise UserError(
            f"{folder} holds no pictures ({', '.join(sorted(FORMATS))}): set dataset.path to a folder that does"
        )
    return found


def open_picture(file: Path, size: int, channels: int, crop: float | None = None) -> np.ndarray:
    """One picture as uint8 (C, size, size): the centre square, scaled down with antialiasing.

    `crop` is the share of the width that the square takes; by default it is as large as fits. Transparent parts of a
    picture become white where no alpha channel is asked for.

    Raises:
        OSError, ValueError, SyntaxError, Image.DecompressionBombError: the file is no picture of a known format, is
            damaged, or holds more pixels than PIL takes.
    """
    with Image.open(file, formats=sorted(set(FORMATS.values()))) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I") or picture.mode == "F":
            picture = _deep_grey(np.asarray(picture), opened)
        if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
            picture = picture.convert("RGBA")
            if channels != 4:
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert(MODES[channels])
    side = min(picture.size) if crop is None else min(*picture.size, round(crop * picture.width))
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    picture = picture.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    return np.asarray(picture).reshape(size, size, channels).transpose(2, 0, 1)


def _deep_grey(values: np.ndarray, opened: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or of floats, which PIL would clip, as 8 bits, with what the file calls transparent.

    White is 65,535, but a TIFF of 32 bits does not say what it is: there it is the least of `WHITES` that holds the
    picture. Floats may overshoot 1.

    Raises:
        ValueError: a value that is not finite, or larger than any white.
    """
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not finite")
    if values.dtype == np.int32 and getattr(opened, "tag_v2", {}).get(SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED:
        values = values.view(np.uint32)  # PIL reads these as signed
    white, floats = 2**16 - 1, values.dtype.kind == "f"
    if floats or (opened.format == "TIFF" and values.itemsize == 4):
        largest = values.max()
        white = 1 if floats and largest <= 2 else next((w for w in WHITES if largest <= w), 0)
        if not white:
            raise ValueError(f"it holds values up to {largest:g}, of which none is known to be white")
    grey = Image.fromarray(np.rint(values.clip(0, white) * (255 / white)).astype(np.uint8))
    transparent = opened.info.get("transparency")
    if transparent is not None:
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def pack_pictures(
    files: list[Path],
    folder: Path,
    read: Callable[[Path], np.ndarray],
    shape: Sequence[int],
    say: Callable[[str], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Reads pictures with a few threads into a memory map in `folder`; broken ones are named and left out.

    Returns:
        the memory map uint8 (N, C, H, W) and the indices (N,) of the files that it holds.

    Raises:
        UserError: more than half of the files are broken.
    """
    kept: list[int] = []
    broken: list[Path] = []

    def attempt(file: Path) -> np.ndarray | Exception:
        try:
            return read(file)
        except Exception as error:  # decoders raise anything on broken files
            return error

    whole = np.lib.format.open_memmap(folder / "all.npy.part", mode="w+", dtype=np.uint8, shape=(len(files), *shape))
    with warnings.catch_warnings(), ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large, but below what PIL refuses
        for start in range(0, len(files), 1024):  # in parts, so that decoded pictures never pile up in memory
            for index, pixels in enumerate(pool.map(attempt, files[start : start + 1024]), start):
                if isinstance(pixels, Exception):
                    broken.append(files[index])
                    say(f"data: skipped {files[index]}: {pixels}")
                else:
                    whole[len(kept)] = pixels
                    kept.append(index)
            if start and start % (1024 * 16) == 0:
                say(f"data: {start:,} of {len(files):,} pictures read")
    if broken:
        say(f"data: {len(broken):,} of {len(files):,} pictures are broken and were skipped")
    if len(broken) * 2 > len(files):
        raise UserError(
            f"{len(broken):,} of {len(files):,} pictures cannot be read, {broken[0]} first: mend or remove them"
        )
    return _cut(whole, len(kept), folder), np.asarray(kept)


def _cut(whole: np.memmap, count: int, folder: Path) -> np.memmap:
    """The first `count` pictures of the memory map all.npy.part, as real.npy in its place."""
    if count == len(whole):
        (folder / "all.npy.part").rename(folder / "real.npy")
        return whole
    real = np.lib.format.open_memmap(folder / "real.npy", mode="w+", dtype=np.uint8, shape=(count, *whole.shape[1:]))
    for start in range(0, count, 4096):
        real[start : start + 4096] = whole[start : min(start + 4096, count)]
    (folder / "all.npy.part").unlink()
    return real
