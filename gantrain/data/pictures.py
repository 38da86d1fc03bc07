"""Pictures from files: which are taken, and how one becomes pixels."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from gantrain.data.fitting import Fitting, Size
from gantrain.data.originals import Original
from gantrain.errors import UserError
from gantrain.untrusted import printable

FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jfif": "JPEG",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
"""The endings of pictures, and the formats that are decoded: PIL knows more, and starts programs for some of them."""

CONVERT = (".heic", ".heif", ".avif", ".raw", ".cr2", ".nef", ".dng", ".jxl", ".jp2", ".svg", ".psd", ".pdf")
"""Endings of pictures that are not read."""

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
WHITES = (1, 2**8 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1)
ORIENTATION = 274  # a tag of Exif
DAMAGED = (SyntaxError, ValueError, TypeError, struct.error)
"""What damaged notes of a camera raise, whose picture may be whole."""
WIDTH, HEIGHT = 256, 257  # tags of TIFF
SAMPLE_FORMAT, UNSIGNED = 339, 1  # a tag of TIFF, and its value where the file says nothing
FINER = 4
"""JPEGs are decoded at ½, ¼ or ⅛ of their sides where they stay so many times finer than what is made of them: that is
five times as fast for 12 megapixels, and changes no pixel by more than a level or two of 256."""
MOST_PIXELS = 2**26
"""A picture of more takes over a GiB while it is made small; JPEGs count as large as they are decoded."""
MANY_PIXELS = 2**24
"""Pictures of more are decoded one at a time."""
ONE_AT_A_TIME = threading.Lock()
CLEAR = 0.01
"""The share of a picture's pixels that must be see-through for the picture to be."""


def files_below(folder: Path) -> list[Path]:
    """Every file below the folder, at any depth, in a stable order; what systems hide there is left out.

    Raises:
        UserError: there is no such folder.
    """
    _check_folder(folder)
    return [Path(place) for place in _places(str(folder))]


def _check_folder(folder: Path) -> None:
    """Raises UserError where it is none."""
    if folder.is_file():
        raise UserError(
            f"{folder} is a file: set dataset.path to a folder of pictures (a table of numbers needs dataset=array)"
        )
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: set dataset.path to a folder of pictures")


def _places(folder: str) -> Iterator[str]:
    """The files below a folder in the order of their names; links to other folders are not followed."""
    with contextlib.suppress(PermissionError), os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if _is_hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _places(entry.path)
            elif _is_file(entry):
                yield entry.path


def linked_folders(folder: Path) -> list[str]:
    """The links to folders below a folder, which are not followed, by their paths from there."""
    found = []
    for place, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        paths = [os.path.join(place, name) for name in folders]
        found += [os.path.relpath(path, folder) for path in paths if os.path.islink(path)]
    return found


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to one; a link to itself is none."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_hidden(name: str) -> bool:
    """Whether the name of a file or folder begins with a dot, or is what macOS leaves in archives."""
    return name.startswith(".") or name == "__MACOSX"


def is_picture(file: Path) -> bool:
    return file.suffix.lower() in FORMATS


def pictures_below(folder: Path) -> list[Path]:
    """Every picture below the folder, at any depth, in a stable order.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    return [Path(place) for place in picture_places(folder)]


def picture_places(folder: Path) -> list[str]:
    """The same as plain words, which for very many files are made in a fraction of the time.

    Raises:
        UserError: as `pictures_below`.
    """
    _check_folder(folder)
    found = [place for place in _places(str(folder)) if os.path.splitext(place)[1].lower() in FORMATS]
    if not found:
        files = files_below(folder)
        others = Counter(file.suffix.lower() or "no ending" for file in files)
        instead = f", only {', '.join(f'{ending} ({n:,})' for ending, n in others.most_common(5))}" if others else ""
        if others[".wav"] > len(files) / 2:
            raise UserError(f"{folder} holds sound and no pictures: add dataset=sound_folder")
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
    with _opened(file) as opened:
        animated = opened.format != "MPO" and bool(getattr(opened, "is_animated", False))  # MPO: a preview follows
        mode, size = opened.mode, _shown_size(opened)
        opened.draft(None, (FINER * max(fitting.size),) * 2)
        count = opened.width * opened.height
        if count > MOST_PIXELS:
            most = MOST_PIXELS / 1e6
            raise ValueError(f"it has {count / 1e6:.0f} megapixels, and {most:.0f} are read at most: make it smaller")
        with ONE_AT_A_TIME if count > MANY_PIXELS else contextlib.nullcontext():
            turned, clear, picture = _decoded(opened, channels)
            fitted = fitting(picture)
    pixels = np.asarray(fitted).reshape(*fitting.size, channels).transpose(2, 0, 1)
    return pixels, Original(size, mode, turned, animated, clear)


def _decoded(opened: Image.Image, channels: int) -> tuple[bool, bool, Image.Image]:
    """Whether a picture was turned, whether it is see-through, and itself in a mode of so many channels."""
    turned, picture = _upright(opened)
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _deep_grey(np.asarray(picture), opened)
    clear = False
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        picture = picture.convert("RGBA")
        clear = sum(picture.getchannel("A").histogram()[:128]) >= CLEAR * picture.width * picture.height
        if channels != 4:
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return turned, clear, picture.convert(MODES[channels])


def size_of(file: Path) -> Size:
    """Height and width of a picture as it is shown, from the first bytes of its file.

    Raises:
        OSError, ValueError, SyntaxError, Image.DecompressionBombError: as `open_picture`, as far as these bytes tell.
    """
    with _opened(file) as opened:
        return _shown_size(opened)


def _opened(file: Path) -> Image.Image:
    return Image.open(file, formats=sorted(set(FORMATS.values())))


def _shown_size(opened: Image.Image) -> Size:
    """Height and width of a picture as the camera was held, which is not decoded for that."""
    sideways, (width, height) = False, opened.size
    if opened.format == "TIFF":  # which some versions of PIL turn by themselves, and say the sides after that
        tags = getattr(opened, "tag_v2", {})
        width, height = int(tags.get(WIDTH, width)), int(tags.get(HEIGHT, height))
    if opened.format != "PNG" or "exif" in opened.info:  # else PIL decodes all of a PNG to look behind its pixels
        with contextlib.suppress(*DAMAGED):
            sideways = opened.getexif().get(ORIENTATION, 1) in range(5, 9)
    return (width, height) if sideways else (height, width)


def _upright(opened: Image.Image) -> tuple[bool, Image.Image]:
    """Whether a picture lies otherwise in its file than the camera was held, and itself as it was held."""
    try:
        turned = opened.getexif().get(ORIENTATION, 1) in range(2, 9)
        return turned, ImageOps.exif_transpose(opened) if turned else opened
    except DAMAGED:
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
