"""Pictures in folders."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gantrain.captions import alphabet_of
from gantrain.data.augment import Augment
from gantrain.data.captions import FILE as CAPTIONS
from gantrain.data.captions import LONGEST, captions_below, captions_of, codes_of
from gantrain.data.class_folders import ClassFolders
from gantrain.data.fitting import Fit, Fitting, sides
from gantrain.data.glance import GLANCED, glance_at
from gantrain.data.originals import Original
from gantrain.data.packing import pack_pictures
from gantrain.data.pictures import CONVERT, MODES, files_below, open_picture, picture_places, pictures_below
from gantrain.data.source import DataContext, PackedSource, fingerprint_of
from gantrain.errors import UserError
from gantrain.ranges import WIDTH, within

NO_PATH = "dataset=image_folder needs the folder of your pictures: add dataset.path=…"


class ImageFolder(ClassFolders):
    """The user's own pictures: any nesting, size and mode; a sub-folder is a class.

    A folder that has a captions.csv gives captions: "caption" (N, L) character codes, of which 0 pads, and "shown" and
    "said" (N, 1), the number of the picture.

    Args:
        path: the folder.
        image_size: side of the square that each picture is scaled to, or [height, width]; `auto` the largest of 16, 32
            and 64 that nearly all pictures reach, in their own shape where they share one that is far from a square.
        fit: `crop` cuts away what is too wide or too high, `pad` puts it between borders, `stretch` squeezes it.
        channels: 1 grey, 3 colour, 4 colour with transparency; `auto` what there is.
        classes: how many sub-folders there are; `auto` counts them.
        augment: with `flip: auto` pictures are mirrored where a simple classifier cannot tell them from their mirrors.
        alphabet: the letters of captions; `auto` those that captions.csv has, None for pictures without captions.
        caption_length: letters of a caption at most; `auto` as many as the longest has, up to 256.

    Raises:
        ValueError: no path, or a number of channels other than 1, 3, 4.
    """

    name = "image_folder"
    version = 3
    fitting: Fitting
    files_below = staticmethod(pictures_below)

    def __init__(
        self,
        path: str | None,
        image_size: int | list[int] = 64,
        channels: int = 3,
        classes: int | None = None,
        augment: Augment | None = None,
        fit: Fit = "crop",
        alphabet: str | None = None,
        caption_length: int | None = None,
    ) -> None:
        if path is None:
            raise ValueError(NO_PATH)
        if channels not in MODES:
            raise ValueError(f"channels is 1 (grey), 3 (colour) or 4 (with transparency), got {channels}")
        within(WIDTH, classes=classes, caption_length=caption_length)
        self.alphabet, self.caption_length = (alphabet, caption_length or LONGEST) if alphabet else (None, None)
        self.path = Path(path).expanduser()
        self.fitting, self.channels = Fitting(sides(image_size), fit), channels
        self.shape = [channels, *self.fitting.size]
        self.classes = classes
        self.augment = augment and augment.fitting(self.shape)

    @classmethod
    def auto(cls, key: str, settings: Mapping[str, Any], data_dir: Path) -> Any:
        if not settings.get("path"):
            raise UserError(NO_PATH)
        folder = Path(settings["path"]).expanduser()
        if key == "classes":
            return len(cls.class_folders(folder))
        if key == "caption_length" and settings.get("alphabet", "auto") is None:
            return None
        if key in ("alphabet", "caption_length"):
            told = [caption for captions in captions_below(folder).values() for caption in captions]
            return (alphabet_of(told) if key == "alphabet" else min(max(map(len, told)), LONGEST)) if told else None
        return getattr(glance_at(folder), GLANCED[key]) if key in GLANCED else super().auto(key, settings, data_dir)

    @classmethod
    def reason(cls, key: str, settings: Mapping[str, Any]) -> str:
        return glance_at(Path(settings["path"]).expanduser()).reason(key) if key in GLANCED else ""

    def settings(self, data_dir: Path) -> dict[str, Any]:
        fitted = {"size": list(self.fitting.size), "fit": self.fitting.fit}
        told = {"alphabet": self.alphabet, "caption_length": self.caption_length} if self.alphabet else {}
        return {"path": str(self.path.resolve()), "channels": self.channels, **fitted, **told}

    def fingerprint(self, data_dir: Path) -> str:
        folder = self.path.resolve()
        told = [folder / CAPTIONS] if self.alphabet else []
        for table in (table for table in told if not table.is_file()):
            raise UserError(f"there is no {table}, which has the captions: put it there, or set dataset.alphabet=null")
        return fingerprint_of([*pictures_below(folder), *told])

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        files = pictures_below(self.path)
        labels = self._labels(files)
        codes = None
        if self.alphabet and self.caption_length:
            codes = codes_of(captions_of(files, self.path), self.alphabet, self.caption_length, say)

        others = Counter(ending for f in files_below(self.path) if (ending := f.suffix.lower()) in CONVERT)
        if others:
            listed = ", ".join(f"{count:,} {ending}" for ending, count in others.items())
            say(f"data: left out {listed}, of a format that is not read: convert to .png or .jpg what should count")

        def read(file: Path) -> tuple[np.ndarray, Original]:
            return open_picture(file, self.fitting, self.channels)

        real, kept = pack_pictures(files, self.path, folder, read, self.shape, say)
        fields = {"real": real, "label": labels[kept]}
        if codes is None:
            return fields
        picture = np.arange(len(kept))[:, None]
        return {**fields, "caption": codes[kept], "shown": picture, "said": picture.copy()}


class CelebA(PackedSource):
    """Aligned faces (Liu et al. 2015): the centre crop of 148 of 178 pixels' width at most, scaled to `image_size`.

    The label of a face is its attribute `attribute` (0 or 1). Labels are read anew each time and pictures packed once,
    so that another attribute costs nothing; there are none without list_attr_celeba.txt, or .csv as Kaggle has it.

    Args:
        image_size: side of the square, or [height, width].
        fit: `crop`, or all of the picture: `pad` between borders, `stretch` squeezed into the shape.
        attribute: a column of that file.
        classes: 2 where labels are needed, `auto` where the file is there, None where they are not.
    """

    name = "celeba"
    licence = "for non-commercial research alone"
    version = 4
    fitting: Fitting
    crop = 148 / 178
    tables = ("list_attr_celeba.txt", "list_attr_celeba.csv")

    def __init__(
        self,
        image_size: int | list[int] = 64,
        attribute: str = "Male",
        classes: int | None = None,
        augment: Augment | None = None,
        fit: Fit = "crop",
    ) -> None:
        self.fitting, self.attribute = Fitting(sides(image_size), fit, self.crop), attribute
        self.shape = [3, *self.fitting.size]
        self.classes = classes
        self.augment = augment and augment.fitting(self.shape)

    @classmethod
    def auto(cls, key: str, settings: Mapping[str, Any], data_dir: Path) -> Any:
        if key != "classes":
            raise ValueError(f"{key} has no automatic value")
        return 2 if cls._table(data_dir) else None

    def class_names(self, data_dir: Path) -> Sequence[str]:
        return [f"not {self.attribute}", self.attribute]

    def settings(self, data_dir: Path) -> dict[str, Any]:
        fitted = {"size": list(self.fitting.size), "fit": self.fitting.fit}
        return {"folder": str(data_dir / "celeba"), **fitted}

    def fingerprint(self, data_dir: Path) -> str:
        return fingerprint_of(picture_places(self._folder(data_dir)))

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        files = pictures_below(self._folder(data_dir))

        def read(file: Path) -> tuple[np.ndarray, Original]:
            return open_picture(file, self.fitting, 3)

        real, kept = pack_pictures(files, data_dir / "celeba", folder, read, self.shape, say)
        return {"real": real, "face": np.asarray([files[k].stem for k in kept])}

    def fields(self, context: DataContext) -> dict[str, np.ndarray]:
        values = self._values(context)
        packed = dict(super().fields(context))
        faces = packed.pop("face").tolist()
        if values is None:
            return packed
        lacking = [face for face in faces if face not in values]
        if lacking:
            raise UserError(
                f"{self._table(context.data_dir)} has no row for {len(lacking):,} of {len(faces):,} faces, "
                f"{lacking[0]} first: fetch the whole file"
            )
        return packed | {"label": np.asarray([values[face] for face in faces], dtype=np.int64)}

    def _folder(self, data_dir: Path) -> Path:
        folder = data_dir / "celeba" / "img_align_celeba"
        if not folder.is_dir():
            raise UserError(
                f"there is no {folder}: fetch img_align_celeba.zip from the CelebA project page by hand (its automatic "
                "download is often over quota), unpack it there, or set data_dir=…"
            )
        return folder

    @classmethod
    def _table(cls, data_dir: Path) -> Path | None:
        """The file of attributes, where there is one."""
        return next((f for name in cls.tables if (f := data_dir / "celeba" / name).is_file()), None)

    def _values(self, context: DataContext) -> dict[str, int] | None:
        """The attribute, 0 or 1, by the name of the face's file without its ending; None where no file tells."""
        file = self._table(context.data_dir)
        if file is None:
            if self.classes:
                raise UserError(
                    f"the labels of dataset=celeba are in {context.data_dir / 'celeba' / self.tables[0]}, which is not "
                    "there: fetch it, or set dataset.classes=null for a game without labels"
                )
            context.say(f"data: no {context.data_dir / 'celeba' / self.tables[0]}: faces have no labels")
            return None
        lines = [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        if lines and len(lines[0].split()) == 1 and "," not in lines[0]:
            lines = lines[1:]  # the original file begins with the number of its rows
        commas = "," in "".join(lines[:1])
        heads = next(csv.reader(lines[:1]), []) if commas else "".join(lines[:1]).split()
        names = [name for name in heads if name != "image_id"]
        if self.attribute not in names:
            raise UserError(f"dataset.attribute={self.attribute} is not one of CelebA's: {', '.join(names)}")
        column = names.index(self.attribute) + 1
        meaning = {"1": 1, "-1": 0, "0": 0}
        rows = csv.reader(lines[1:]) if commas else (line.split(None, column + 1) for line in lines[1:])
        try:
            return {os.path.splitext(row[0])[0]: meaning[row[column].strip()] for row in rows}
        except (IndexError, KeyError) as error:
            raise UserError(f"{file} is damaged: a row has no 1 or -1 for {self.attribute}: fetch it anew") from error
