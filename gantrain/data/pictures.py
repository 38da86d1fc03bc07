"""Pictures from files: which are taken, how one becomes pixels, and how many become a pack."""

from __future__ import annotations

import os
import struct
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gantrain.data.fitting import Fitting
from gantrain.data.originals import Original, Originals, printable
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
ORIENTATION = 274  # a tag of Exif
SAMPLE_FORMAT, UNSIGNED = 339, 1  # a tag of TIFF, and its value where the file says nothing


def files_below(folder: Path) -> list[Path]:
    """Every file below the folder, at any depth, in a stable order; what systems hide there is left out.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: set dataset.path to a folder of pictures")
    return sorted(f for f in folder.rglob("*") if not _is_hidden(f.relative_to(folder)) and f.is_file())


def _is_hidden(place: Path) -> bool:
    """Whether a file or a folder above it begins with a dot, or is what macOS leaves in archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in place.parts)


def is_picture(file: Path) -> bool:
    return file.suffix.lower() in FORMATS


def pictures_below(folder: Path) -> list[Path]:
    """Every picture below the folder, at any depth, in a stable order.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    files = files_below(folder)
    found = [file for file in files if is_picture(file)]
    if not found:
        others = Counter(file.suffix.lower() or "no ending" for file in files)
        instead = f", only {', '.join(f'{ending} ({n:,})' for ending, n in others.most_common(5))}" if others else ""
        raise UserError(
            f"{folder} holds no pictures ({', '.join(sorted(FORMATS))}){printable(instead)}: set dataset.path to a "
            "folder that does, or convert them"
        )
    return found


def open_picture(file: Path, fitting: Fitting, channels: int) -> tuple[np.ndarray, Original]:
    """One picture as uint8 (C, *fitting.size), and what its file was.

    It is turned upright, as the camera was held. Of several pictures in a file the first is taken. Transparent parts
    become white where no alpha channel is asked for.

    Raises:
        OSError, ValueError, SyntaxError, Image.DecompressionBombError: the file is no picture of a known format, is
            damaged, or holds more pixels than PIL takes.
    """
    with Image.open(file, formats=sorted(set(FORMATS.values()))) as opened:
        animated = opened.format != "MPO" and bool(getattr(opened, "is_animated", False))  # MPO: a preview follows
        turned, upright = _upright(opened)
        original = Original((upright.height, upright.width), opened.mode, turned, animated)
        picture = upright
        if picture.mode.startswith("I") or picture.mode == "F":
            picture = _deep_grey(np.asarray(picture), opened)
        if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
            picture = picture.convert("RGBA")
            if channels != 4:
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert(MODES[channels])
    pixels = np.asarray(fitting(picture))
    return pixels.reshape(*fitting.size, channels).transpose(2, 0, 1), original


def _upright(opened: Image.Image) -> tuple[bool, Image.Image]:
    """Whether a picture lies otherwise in its file than the camera was held, and itself as it was held."""
    try:
        turned = opened.getexif().get(ORIENTATION, 1) in range(2, 9)
        return turned, ImageOps.exif_transpose(opened) if turned else opened
    except (SyntaxError, ValueError, TypeError, struct.error):  # damaged notes of the camera; the picture may be whole
        return False, opened


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
    top: Path,
    folder: Path,
    read: Callable[[Path], tuple[np.ndarray, Original]],
    shape: Sequence[int],
    say: Callable[[str], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Reads pictures with a few threads into a memory map in `folder`; broken ones are named and left out.

    What the files were is noted there too, under their names from `top` on.

    Returns:
        the memory map uint8 (N, C, H, W) and the indices (N,) of the files that it holds.

    Raises:
        UserError: more than half of the files are broken.
    """
    kept: list[int] = []
    originals = Originals()

    def attempt(file: Path) -> tuple[np.ndarray, Original] | Exception:
        try:
            return read(file)
        except Exception as error:  # decoders raise anything on broken files
            return error

    whole = np.lib.format.open_memmap(folder / "all.npy.part", mode="w+", dtype=np.uint8, shape=(len(files), *shape))
    with warnings.catch_warnings(), ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large, but below what PIL refuses
        for start in range(0, len(files), 1024):  # in parts, so that decoded pictures never pile up in memory
            for index, found in enumerate(pool.map(attempt, files[start : start + 1024]), start):
                name = printable(str(files[index].relative_to(top)))
                if isinstance(found, Exception):
                    originals.broken[name] = _reason(found, files[index])
                    say(f"data: skipped {name}: {originals.broken[name]}")
                else:
                    whole[len(kept)] = found[0]
                    originals.keep(name, found[1])
                    kept.append(index)
            if start and start % (1024 * 16) == 0:
                say(f"data: {start:,} of {len(files):,} pictures read")
    if originals.broken:
        say(f"data: {len(originals.broken):,} of {len(files):,} pictures are broken and were skipped")
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
    real = np.lib.format.open_memmap(folder / "real.npy", mode="w+", dtype=np.uint8, shape=(count, *whole.shape[1:]))
    for start in range(0, count, 4096):
        real[start : start + 4096] = whole[start : min(start + 4096, count)]
    (folder / "all.npy.part").unlink()
    return real
