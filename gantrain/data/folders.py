"""Pictures in folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from gantrain.data.augment import Augment
from gantrain.data.source import PackedSource, fingerprint_of
from gantrain.errors import UserError
from gantrain.ranges import WIDTH, within

ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def pictures_below(folder: Path) -> list[Path]:
    """Every picture below the folder, at any depth, in a stable order.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: set dataset.path to a folder of pictures")
    found = sorted(f for f in folder.rglob("*") if f.suffix.lower() in ENDINGS and f.is_file())
    if not found:
        raise UserError(
            f"{folder} holds no pictures ({', '.join(sorted(ENDINGS))}): set dataset.path to a folder that does"
        )
    return found


def class_of(picture: Path, folder: Path) -> str:
    """The first sub-folder is the class; pictures at the top have the class ""."""
    inside = picture.relative_to(folder).parts
    return inside[0] if len(inside) > 1 else ""


def open_picture(file: Path, size: int, channels: int, crop: float | None = None) -> np.ndarray:
    """One picture as uint8 (C, size, size): the centre square, scaled down with antialiasing.

    `crop` is the share of the width that the square takes; by default it is as large as fits. Transparent parts of a
    picture become white where no alpha channel is asked for.

    Raises:
        OSError, ValueError, SyntaxError: the file is no readable picture.
    """
    with Image.open(file) as opened:
        picture = ImageOps.exif_transpose(opened)
        if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
            picture = picture.convert("RGBA")
            if channels != 4:
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        elif picture.mode.startswith("I;16") or picture.mode == "I":  # PIL clips 16-bit grey instead of scaling it
            picture = Image.fromarray((np.asarray(picture).astype(np.float32) / 257).clip(0, 255).astype(np.uint8))
        picture = picture.convert(MODES[channels])
    side = min(picture.size) if crop is None else min(*picture.size, round(crop * picture.width))
    left, top = (picture.width - side) / 2, (picture.height - side) / 2
    picture = picture.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    return np.asarray(picture).reshape(size, size, channels).transpose(2, 0, 1)


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
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
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
    real = whole
    if broken:
        real = np.lib.format.open_memmap(folder / "real.npy", mode="w+", dtype=np.uint8, shape=(len(kept), *shape))
        for start in range(0, len(kept), 4096):
            real[start : start + 4096] = whole[start : min(start + 4096, len(kept))]
        (folder / "all.npy.part").unlink()
    else:
        (folder / "all.npy.part").rename(folder / "real.npy")
    return real, np.asarray(kept)


class ImageFolder(PackedSource):
    """The user's own pictures: any nesting, size and mode; a sub-folder is a class.

    Args:
        path: the folder.
        image_size: side of the square that each picture is scaled to.
        channels: 1 grey, 3 colour, 4 colour with transparency.
        classes: how many sub-folders there are; `auto` counts them.

    Raises:
        ValueError: no path, or a number of channels other than 1, 3, 4.
    """

    name = "image_folder"

    def __init__(
        self,
        path: str | None,
        image_size: int = 64,
        channels: int = 3,
        classes: int | None = None,
        augment: Augment | None = None,
    ) -> None:
        if path is None:
            raise ValueError("dataset=image_folder needs the folder of your pictures: add dataset.path=…")
        if channels not in MODES:
            raise ValueError(f"channels is 1 (grey), 3 (colour) or 4 (with transparency), got {channels}")
        within("[1, 4096]", image_size=image_size)
        within(WIDTH, classes=classes)
        self.path = Path(path).expanduser()
        self.image_size, self.channels = image_size, channels
        self.shape = [channels, image_size, image_size]
        self.classes = classes
        self.augment = augment and augment.fitting(self.shape)

    @classmethod
    def auto(cls, key: str, settings: Mapping[str, Any], data_dir: Path) -> Any:
        if key != "classes" or not settings.get("path"):
            return None
        folder = Path(settings["path"]).expanduser()
        return len({class_of(f, folder) for f in pictures_below(folder)})

    def settings(self) -> dict[str, Any]:
        return {"path": str(self.path.resolve()), "image_size": self.image_size, "channels": self.channels}

    def fingerprint(self, data_dir: Path) -> str:
        return fingerprint_of(pictures_below(self.path))

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        files = pictures_below(self.path)
        names = [class_of(f, self.path) for f in files]
        classes = sorted(set(names))
        labels = np.asarray([classes.index(name) for name in names], dtype=np.int64)

        def read(file: Path) -> np.ndarray:
            return open_picture(file, self.image_size, self.channels)

        real, kept = pack_pictures(files, folder, read, self.shape, say)
        return {"real": real, "label": labels[kept]}


class CelebA(PackedSource):
    """Aligned faces (Liu et al. 2015): the centre crop of 148 of 178 pixels' width, scaled to `image_size`.

    The label of a face is its attribute `attribute` (0 or 1), all 0 where the attribute file is not there.

    Args:
        image_size: side of the square.
        attribute: a column of list_attr_celeba.txt.
    """

    name = "celeba"
    classes = 2
    crop = 148 / 178

    def __init__(self, image_size: int = 64, attribute: str = "Male", augment: Augment | None = None) -> None:
        within("[1, 4096]", image_size=image_size)
        self.image_size, self.attribute = image_size, attribute
        self.shape = [3, image_size, image_size]
        self.augment = augment and augment.fitting(self.shape)

    def settings(self) -> dict[str, Any]:
        return {"image_size": self.image_size, "attribute": self.attribute}

    def fingerprint(self, data_dir: Path) -> str:
        attributes = data_dir / "celeba" / "list_attr_celeba.txt"
        return fingerprint_of(self._files(data_dir) + [f for f in [attributes] if f.is_file()])

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        files = self._files(data_dir)
        values = self._attribute(data_dir / "celeba" / "list_attr_celeba.txt", say)

        def read(file: Path) -> np.ndarray:
            return open_picture(file, self.image_size, 3, self.crop)

        real, kept = pack_pictures(files, folder, read, self.shape, say)
        label = np.asarray([values.get(files[k].name, 0) for k in kept], dtype=np.int64)
        return {"real": real, "label": label}

    def _files(self, data_dir: Path) -> list[Path]:
        folder = data_dir / "celeba" / "img_align_celeba"
        if not folder.is_dir():
            raise UserError(
                f"there is no {folder}: fetch img_align_celeba.zip from the CelebA project page by hand (its automatic "
                "download is often over quota), unpack it there, or set data_dir=…"
            )
        return pictures_below(folder)

    def _attribute(self, file: Path, say: Callable[[str], None]) -> dict[str, int]:
        if not file.is_file():
            say(f"data: no {file}: every label is 0")
            return {}
        _, header, *rows = file.read_text().splitlines()
        names = header.split()
        if self.attribute not in names:
            raise UserError(f"dataset.attribute={self.attribute} is not one of CelebA's: {', '.join(names)}")
        column = names.index(self.attribute) + 1
        return {row.split()[0]: int(row.split()[column] == "1") for row in rows if row.strip()}
