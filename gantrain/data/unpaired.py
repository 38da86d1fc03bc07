"""Two folders of pictures that are no pairs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gantrain.data.augment import Augment
from gantrain.data.batches import Batches
from gantrain.data.domains import TwoDomains
from gantrain.data.fitting import Fit
from gantrain.data.folders import ImageFolder
from gantrain.data.glance import GLANCED, Glance, glance_over
from gantrain.data.pictures import files_below, is_picture, pictures_below
from gantrain.data.source import DataContext
from gantrain.errors import UserError

NO_PATH = (
    "dataset=unpaired_folders needs two folders of pictures: add dataset.path=… of a folder that holds both (trainA "
    "and trainB, train/A and train/B, or any two sub-folders), or dataset.path_a=… and dataset.path_b=…"
)
KNOWN = (("trainA", "trainB"), ("train/A", "train/B"), ("A", "B"), ("a", "b"))
"""Pairs of sub-folders that are known by their names."""
TEST = (("testA", "testB"), ("test/A", "test/B"))
"""Those of pictures that training never sees."""
PARTS = frozenset({"train", "test", "val", "valid", "validation", "testa", "testb", "vala", "valb"})
"""Names, in small letters, of folders that are parts of a data set and no domains."""


class Domain(ImageFolder):
    """The pictures of one domain, whatever sub-folders they lie in: no classes.

    Args:
        letter: A or B.
        key: the setting that says where it lies.
    """

    def __init__(
        self,
        folder: Path,
        letter: str,
        key: str,
        image_size: int | list[int],
        channels: int,
        augment: Augment | None,
        fit: Fit,
    ) -> None:
        super().__init__(str(folder), image_size, channels, augment=augment, fit=fit)
        self.letter, self.key, self.name = letter, key, f"domain_{letter.lower()}"

    def open(self, context: DataContext) -> Batches:
        return self._serve(self.fields(context), context)

    def fields(self, context: DataContext) -> dict[str, np.ndarray]:
        check_pictures(self.path, self.letter, self.key)
        return {"real": super().fields(context)["real"]}


class UnpairedFolders(TwoDomains):
    """The user's own pictures of two domains, of any number and size each.

    Args:
        path: a folder with trainA and trainB, and testA and testB for pictures that training never sees, as those of
            Zhu et al. 2017 have them, or train/A, train/B, test/A and test/B; or with two sub-folders of any other
            names, the first in their order being A.
        path_a, path_b: the two folders, where they do not lie together.
        image_size, channels, fit: as of one's own pictures, the same for both domains.
        augment: of each domain by itself.
        other_augment: of domain A, where it is another.
        part: `train`, or `test` for the pictures that training never sees.

    Raises:
        ValueError: no paths, or settings out of range.
        UserError: a folder does not hold two.
    """

    def __init__(
        self,
        path: str | None = None,
        path_a: str | None = None,
        path_b: str | None = None,
        image_size: int | list[int] = 64,
        channels: int = 3,
        augment: Augment | None = None,
        other_augment: Augment | None = None,
        fit: Fit = "crop",
        part: Literal["train", "test"] = "train",
    ) -> None:
        folders = folders_of(path, path_a, path_b, part)
        self.path, self.part = None if path is None else Path(path).expanduser(), part
        self.names = (folders[0].name, folders[1].name)
        augments = (other_augment or augment, augment)
        a, b = (
            Domain(folder, letter, _key(path, letter), image_size, channels, own, fit)
            for folder, letter, own in zip(folders, "AB", augments, strict=True)
        )
        self.set_domains(a, b)

    @classmethod
    def auto(cls, key: str, settings: Mapping[str, Any], data_dir: Path) -> Any:
        if key not in GLANCED:
            return super().auto(key, settings, data_dir)
        return getattr(_glance(settings), GLANCED[key])

    @classmethod
    def reason(cls, key: str, settings: Mapping[str, Any]) -> str:
        return _glance(settings).reason(key) if key in GLANCED else ""

    def held_out_part(self) -> UnpairedFolders | None:
        if self.part == "test" or self.path is None or _held_out_in(self.path) is None:
            return None
        a = self.a
        assert isinstance(a, Domain)
        size = list(a.fitting.size)
        return UnpairedFolders(str(self.path), image_size=size, channels=a.channels, fit=a.fitting.fit, part="test")


def folders_of(path: str | None, path_a: str | None, path_b: str | None, part: str = "train") -> tuple[Path, Path]:
    """The folders of both domains.

    Raises:
        ValueError: they are not named, or twice.
        UserError: they are one, or are not found within another.
    """
    if path is not None and (path_a is not None or path_b is not None):
        raise ValueError("dataset.path holds both domains, and so does dataset.path_a with path_b: leave one out")
    if path is not None:
        a, b = _folders_in(Path(path).expanduser(), part)
    elif path_a is not None and path_b is not None:
        a, b = Path(path_a).expanduser(), Path(path_b).expanduser()
    else:
        raise ValueError(NO_PATH)
    if a.resolve() == b.resolve():
        raise UserError(f"both domains are {a}: set dataset.path_a and dataset.path_b to two folders")
    return a, b


def _key(path: str | None, letter: str) -> str:
    """The setting that says where a domain lies."""
    return "dataset.path" if path is not None else f"dataset.path_{letter.lower()}"


def check_pictures(folder: Path, letter: str, key: str) -> None:
    """Raises UserError where a domain holds no pictures."""
    way_out = f"put some there, or set {key} to where they are"
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}, which should hold the pictures of domain {letter}: {way_out}")
    if not any(is_picture(file) for file in files_below(folder)):
        raise UserError(f"domain {letter} is empty: {folder} holds no pictures, {way_out}")


def _folders_in(top: Path, part: str) -> tuple[Path, Path]:
    """The two folders within one."""
    if part == "test":
        return _held_out_in(top) or (top / TEST[0][0], top / TEST[0][1])
    for a, b in KNOWN:
        if (top / a).is_dir() or (top / b).is_dir():
            return top / a, top / b
    if not top.is_dir():  # a run of it may be sampled from all the same
        return top / KNOWN[0][0], top / KNOWN[0][1]
    found = sorted(entry.name for entry in os.scandir(top) if entry.is_dir() and not entry.name.startswith("."))
    if len(found) != 2:
        raise UserError(
            f"{top} holds {len(found) or 'no'} folder{'s' * (len(found) != 1)}, and should hold two, one for each "
            "domain: trainA and trainB, or name them with dataset.path_a=… dataset.path_b=…"
        )
    if PARTS & {name.lower() for name in found}:
        raise UserError(
            f"{top} holds {found[0]} and {found[1]}, which are no two domains by their names: call the folders of the "
            "domains trainA and trainB, or name them with dataset.path_a=… dataset.path_b=…"
        )
    return top / found[0], top / found[1]


def _held_out_in(top: Path) -> tuple[Path, Path] | None:
    """The two folders of pictures that training never sees, where both are there."""
    return next(((top / a, top / b) for a, b in TEST if (top / a).is_dir() and (top / b).is_dir()), None)


def _glance(settings: Mapping[str, Any]) -> Glance:
    """The look at the pictures of both domains together."""
    try:
        path = settings.get("path")
        folders = folders_of(path, settings.get("path_a"), settings.get("path_b"))
        for folder, letter in zip(folders, "AB", strict=True):
            check_pictures(folder, letter, _key(path, letter))
    except ValueError as error:
        raise UserError(str(error)) from error
    return glance_over([file for folder in folders for file in pictures_below(folder)])
