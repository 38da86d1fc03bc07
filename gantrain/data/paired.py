"""The user's own pairs of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gantrain.data.augment import Augment
from gantrain.data.batches import Batches
from gantrain.data.degrade import Degrade, DegradedBatches, Kind
from gantrain.data.digit_pairs import Direction, turned
from gantrain.data.fitting import Fit, Fitting, PairFitting, Size, sides
from gantrain.data.glance import GLANCED, Glance, glance_over
from gantrain.data.originals import Original
from gantrain.data.packing import pack_pictures, read_each
from gantrain.data.pairing import Pairs, Part, find_pairs, has_parts
from gantrain.data.pictures import MODES, open_picture, size_of
from gantrain.data.source import DataContext, PackedSource, different_files, fingerprint_of
from gantrain.errors import UserError
from gantrain.ranges import within

NO_PATH = "dataset=paired_folder needs the folder of your pairs: add dataset.path=…"
NARROW = 1.2
"""A picture that is less than so many times as wide as high holds no two side by side."""
UNLIKE = 0.02
"""Two pictures whose ratios of sides differ by more than this share do not lie pixel on pixel."""


class PairedFolder(PackedSource):
    """Pairs of pictures of which one should be made of the other; or pairs made of single pictures.

    Args:
        path: a folder with two folders whose files have the same names, or with files that hold A and B side by side;
            train/, test/ and val/ in it are kept apart.
        image_size: side of the square that each picture is scaled to, or [height, width]; `auto` as for image_folder.
        fit: `crop` cuts away what is too wide or too high, `pad` puts it between borders, `stretch` squeezes it.
        channels: 1 grey, 3 colour, 4 colour with transparency; `auto` what there is.
        direction: `a_to_b` makes B of A, `b_to_a` A of B.
        folders: the names of the two folders.
        degrade: `path` holds single pictures; each is given in a worse form: smaller by `factor`, grey, or with noise
            of `sigma` levels of 255.
        held_out: the share of pairs that is kept from training where there is no test/ or val/.
        part: `train`, or `test` for those that are kept.

    Raises:
        ValueError: no path, or settings that make no sense.
    """

    name = "paired_folder"
    fitting: Fitting

    def __init__(
        self,
        path: str | None,
        image_size: int | list[int] = 64,
        channels: int = 3,
        augment: Augment | None = None,
        fit: Fit = "crop",
        direction: Direction = "a_to_b",
        folders: tuple[str, str] = ("A", "B"),
        degrade: Kind | None = None,
        factor: int = 4,
        sigma: float = 25.0,
        held_out: float = 0.1,
        part: Part = "train",
    ) -> None:
        if path is None:
            raise ValueError(NO_PATH)
        if channels not in MODES:
            raise ValueError(f"channels is 1 (grey), 3 (colour) or 4 (with transparency), got {channels}")
        within("[0, 0.5]", held_out=held_out)
        if degrade is not None and direction != "a_to_b":
            raise ValueError("dataset.degrade makes pairs of single pictures, which have no direction: leave it out")
        self.path, self.direction, self.folders = Path(path).expanduser(), direction, tuple(folders)
        self.size, self.fit, self.channels = sides(image_size), fit, channels
        self.shape = [channels, *self.size]
        self.degrade = degrade and Degrade(degrade, list(self.shape), factor, sigma)
        self.input_shape = self.degrade.shape if self.degrade else self.shape
        self.enlarges = factor if degrade == "downscale" else 1
        self.augment = augment and augment.fitting(self.shape)
        self.held_out, self.part = held_out, part
        self.fitting = Fitting(self.size, fit)
        self.kept: dict[str, Any] = {"image_size": list(self.size), "channels": channels, "fit": fit}
        self.kept |= {"direction": direction, "folders": self.folders, "degrade": degrade}
        self.kept |= {"factor": factor, "sigma": sigma, "held_out": held_out}

    @classmethod
    def auto(cls, key: str, settings: Mapping[str, Any], data_dir: Path) -> Any:
        if key == "channels" and settings.get("degrade") == "grey":
            return 3
        return getattr(cls._glance(settings), GLANCED[key]) if key in GLANCED else super().auto(key, settings, data_dir)

    @classmethod
    def reason(cls, key: str, settings: Mapping[str, Any]) -> str:
        if key == "channels" and settings.get("degrade") == "grey":
            return "channels=3 (colour, to be found again)"
        return cls._glance(settings).reason(key) if key in GLANCED else ""

    @classmethod
    def _glance(cls, settings: Mapping[str, Any]) -> Glance:
        """A look at the training pictures of both sides.

        Raises:
            UserError: there is no path, or the files do not match.
        """
        if not settings.get("path"):
            raise UserError(NO_PATH)
        path, single = Path(settings["path"]).expanduser(), settings.get("degrade") is not None
        pairs = find_pairs(path, settings.get("folders", ("A", "B")), "train", settings.get("held_out", 0.1), single)
        return glance_over(pairs.files, halved=pairs.second is None and not single)

    def held_out_part(self) -> PairedFolder | None:
        if self.part == "test" or not (self.held_out or has_parts(self.path, self.folders, self.degrade is not None)):
            return None
        return type(self)(str(self.path), part="test", augment=None, **self.kept)

    def count(self, data_dir: Path) -> int | None:
        return different_files(self._pairs().first)

    def few(self, data_dir: Path) -> int | None:
        """None: a pair says what should come out, so that few of them are enough (Isola et al. 2017 have 400)."""
        return None

    def settings(self, data_dir: Path) -> dict[str, Any]:
        """Direction and degradation are no part of the pack."""
        where = {"path": str(self.path.resolve()), "folders": list(self.folders), "part": self.part}
        return {**where, "held_out": self.held_out, "single": self.degrade is not None} | {
            name: self.kept[name] for name in ("image_size", "channels", "fit")
        }

    def fingerprint(self, data_dir: Path) -> str:
        return fingerprint_of(self._pairs().files)

    def open(self, context: DataContext) -> Batches:
        batches = super().open(context)
        return DegradedBatches(batches, self.degrade) if self.degrade else batches

    def fields(self, context: DataContext) -> dict[str, np.ndarray]:
        """The pack holds A and B side by side, so that both directions share one."""
        whole = super().fields(context)["real"]
        if self.degrade:
            return {"real": whole}
        fields = {"input": whole[..., : self.size[1]], "real": whole[..., self.size[1] :]}
        return turned(fields) if self.direction == "b_to_a" else fields

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        pairs, (height, width) = self._pairs(), self.size
        partner = dict(zip(pairs.first, pairs.second or [], strict=False))
        both = PairFitting((height, 2 * width), self.fit)

        def read(file: Path) -> tuple[np.ndarray, Original]:
            if self.degrade:
                return open_picture(file, self.fitting, self.channels)
            if file not in partner:
                pixels, original = open_picture(file, both, self.channels)
                return pixels, replace(original, size=(original.size[0], original.size[1] // 2))
            _refuse_unlike(size_of(file), size_of(partner[file]))
            a, original = open_picture(file, self.fitting, self.channels)
            b, _ = open_picture(partner[file], self.fitting, self.channels)
            return np.concatenate([a, b], 2), original

        if not self.degrade and not partner:
            _refuse_single(pairs)
        shape = [self.channels, height, width if self.degrade else 2 * width]
        real, _ = pack_pictures(pairs.first, pairs.top, folder, read, shape, say)
        return {"real": real}

    def _pairs(self) -> Pairs:
        return find_pairs(self.path.resolve(), self.folders, self.part, self.held_out, self.degrade is not None)


def _refuse_unlike(a: Size, b: Size) -> None:
    """Raises ValueError where two pictures have not the same shape."""
    if abs(a[0] * b[1] / (a[1] * b[0]) - 1) > UNLIKE:
        raise ValueError(f"it is {a[0]}x{a[1]} and its partner {b[0]}x{b[1]}, which do not lie pixel on pixel")


def _refuse_single(pairs: Pairs) -> None:
    """Raises UserError where most files are too narrow to hold two pictures side by side."""
    found = [(file, size) for file, size in zip(pairs.first, read_each(pairs.first, size_of), strict=True)]
    sizes = [(file, size) for file, size in found if not isinstance(size, Exception)]
    narrow = [(file, size) for file, size in sizes if size[1] < NARROW * size[0]]
    if 2 * len(narrow) > len(sizes):
        file, (height, width) = narrow[0]
        raise UserError(
            f"{pairs.top} holds single pictures ({file.name} is {width} wide and {height} high) and no pairs side by "
            "side: put both pictures of each pair into folders A and B under the same name, or make pairs of single "
            "ones with dataset.degrade=downscale, grey or noise"
        )
