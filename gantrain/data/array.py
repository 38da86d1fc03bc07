"""The user's own numbers."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gantrain.data.batches import Batches
from gantrain.data.source import DataContext, PackedSource, fingerprint_of
from gantrain.errors import UserError
from gantrain.ranges import WIDTH, within


def read_table(path: Path) -> np.ndarray:
    """A table of numbers as float64 (N, D) from .npy, .npz (its first array) or .csv (a line of names is skipped).

    Raises:
        UserError: no such file, another kind of file, pickled content, complex numbers, not two axes, too few rows, no
            column, an empty cell, or a value that is not finite.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}: set dataset.path to a .npy, .npz or .csv of (N, D) numbers")
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig") as lines:  # without the byte-order mark that spreadsheets write
                skipped = int(_is_header(lines.readline()))
            table = np.loadtxt(path, delimiter=",", ndmin=2, skiprows=skipped, encoding="utf-8-sig")
        elif path.suffix.lower() in (".npy", ".npz"):
            held = np.load(path, allow_pickle=False)
            table = held[held.files[0]] if isinstance(held, np.lib.npyio.NpzFile) else held
        else:
            raise UserError(f"{path} is neither .npy, .npz nor .csv: save the numbers as one of these")
        if np.iscomplexobj(table):
            raise ValueError("its numbers are complex")
        table = np.asarray(table, dtype=np.float64)
    except UserError:
        raise
    except (ValueError, TypeError, OSError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as a table of numbers: {error}") from error
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or len(table) < 2 or not table.shape[1]:
        raise UserError(f"{path} has the shape {table.shape}: it must be (N, D) with at least two rows and a column")
    if not np.isfinite(table).all():
        raise UserError(
            f"{path} holds values that are not finite, row {int(np.argwhere(~np.isfinite(table))[0][0])} first"
        )
    return table


def _is_header(line: str) -> bool:
    """Whether the first line names the columns.

    Raises:
        ValueError: some of its cells are numbers and others are words, so that it is neither names nor values.
    """
    cells = [cell.strip() for cell in line.partition("#")[0].split(",")]
    numbers = [_is_number(cell) for cell in cells]
    words = [bool(cell) and not number for cell, number in zip(cells, numbers, strict=True)]
    if any(numbers) and any(words):
        raise ValueError("its first line mixes numbers and words: name every column, or mend that row")
    return any(words)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


class Array(PackedSource):
    """The user's own table of (N, D) numbers; each column is standardised, and samples are mapped back.

    Args:
        path: a .npy, .npz (never pickled) or .csv file.
        dim: D; `auto` reads it from the file.

    Raises:
        ValueError: no path, or `dim` below 1.
    """

    name = "array"
    suited_metrics = ("mind_values", "diversity_values")

    def __init__(self, path: str | None, dim: int) -> None:
        if path is None:
            raise ValueError("dataset=array needs your file: add dataset.path=… (.npy, .npz or .csv)")
        within(WIDTH, dim=dim)
        self.path = Path(path).expanduser()
        self.shape = [dim]

    @classmethod
    def auto(cls, key: str, settings: Mapping[str, Any], data_dir: Path) -> Any:
        if key != "dim" or not settings.get("path"):
            return 1
        return read_table(Path(settings["path"]).expanduser()).shape[1]

    def settings(self, data_dir: Path) -> dict[str, Any]:
        return {"path": str(self.path.resolve())}

    def fingerprint(self, data_dir: Path) -> str:
        if not self.path.is_file():
            read_table(self.path)
        return fingerprint_of([self.path.resolve()])

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        table = read_table(self.path)
        mean, std = table.mean(0), table.std(0)
        std[np.ptp(table, 0) == 0] = 1.0  # a constant column stays what it is; its deviation may round to more than 0
        return {"real": ((table - mean) / std).astype(np.float32), "mean": mean, "std": std}

    def open(self, context: DataContext) -> Batches:
        packed = self.fields(context)
        if packed["real"].shape[1] != self.shape[0]:
            raise UserError(f"{self.path} has {packed['real'].shape[1]} columns, but dataset.dim={self.shape[0]}")
        batches = self._serve({"real": packed["real"]}, context)
        batches.facts = {k: torch.from_numpy(np.array(packed[k])).float() for k in ("mean", "std")}
        return batches
