"""Files below one folder, whose sub-folders are their classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gantrain.data.batches import Batches
from gantrain.data.pictures import linked_folders
from gantrain.data.source import DataContext, PackedSource, different_files
from gantrain.errors import UserError
from gantrain.untrusted import printable

NAMED = 5
"""Folders that a sentence names at most."""


class ClassFolders(PackedSource):
    """Samples from the files below a folder; each one's class is the first sub-folder, or "" at the top."""

    path: Path
    classes: int | None

    @staticmethod
    @abstractmethod
    def files_below(folder: Path) -> list[Path]:
        """Every file of this kind below the folder, at any depth, in a stable order.

        Raises:
            UserError: there is no such folder, or no such file in it.
        """

    @classmethod
    def class_folders(cls, folder: Path) -> list[str]:
        """The classes of the files below the folder, sorted.

        Raises:
            UserError: there is no such folder, or no such file in it.
        """
        return sorted({_class_of(file, folder) for file in cls.files_below(folder)})

    def count(self, data_dir: Path) -> int | None:
        return different_files(self.files_below(self.path))

    def class_names(self, data_dir: Path) -> Sequence[str]:
        return [printable(name) or "(no sub-folder)" for name in self.class_folders(self.path)]

    def fields(self, context: DataContext) -> dict[str, np.ndarray]:
        linked = linked_folders(self.path)
        if linked:
            names = ", ".join(map(printable, linked[:NAMED])) + (", …" if len(linked) > NAMED else "")
            context.say(f"data: passed over {len(linked):,} linked folder{'s' * (len(linked) > 1)} ({names})")
        return super().fields(context)

    def open(self, context: DataContext) -> Batches:
        fields = self.fields(context)
        found = int(fields["label"].max()) + 1
        if self.classes and found > self.classes:
            raise UserError(f"{self.path} has {found} classes, but dataset.classes={self.classes}")
        return self._serve(fields, context)

    def _labels(self, files: Sequence[Path]) -> np.ndarray:
        """Of each file the number of its class, (N,)."""
        names = [_class_of(file, self.path) for file in files]
        number = {name: k for k, name in enumerate(sorted(set(names)))}
        return np.asarray([number[name] for name in names], dtype=np.int64)


def _class_of(file: Path, folder: Path) -> str:
    inside = file.relative_to(folder).parts
    return inside[0] if len(inside) > 1 else ""
