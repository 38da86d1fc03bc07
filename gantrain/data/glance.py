"""What a quick look at a folder's pictures tells: the settings of a data set that were left at `auto`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import median

import numpy as np

from gantrain.data.fitting import Fitting, PairFitting, Size, halves, shaped, size_in_words
from gantrain.data.packing import read_each
from gantrain.data.pictures import open_picture, pictures_below, size_of
from gantrain.data.source import fingerprint_of

GLANCED = {"image_size": "image_size", "channels": "channels", "augment.flip": "flip"}
"""Settings that follow from a look at the pictures, and how the look calls them."""
HEADERS, LOOKED_AT = 1000, 256
"""At most so many files of which the size is read, and so many that are decoded."""
SIDES = (64, 32, 16)
"""Of the pictures that are made, the shorter one; larger ones only on request."""
NEARLY = 0.95
"""The share of pictures that counts as nearly all."""
ALIKE = 0.05
"""How far a ratio of sides may be from the others', as a share, to be about the same."""
LOST = 0.3
"""Of a picture, the share from which on it is a pity to cut it away; of pictures, that from which on they are many."""
LONGEST = 4.0
"""The most extreme ratio of sides that is kept."""
SMALL = 16
"""The side at which colour is looked for."""
COARSE = 8
"""The side at which pictures are compared with their mirrors."""
TINT = 8
"""Levels of 256 by which channels differ at least where there is colour, and not the noise of compression."""
TELLABLE = 0.62
"""The share of mirrored pictures that can be told at most where mirroring does no harm: 0.5 is guessing."""
FEWEST = 64
"""With fewer pictures it cannot be said whether their mirrors can be told."""


class Glance:
    """A look at pictures, at most some hundreds of them however many there are.

    Args:
        files: the pictures, of which broken ones are passed over.
        halved: each file holds two of them side by side.
    """

    def __init__(self, files: list[Path], halved: bool = False) -> None:
        self._files, self._halved = files, halved

    @property
    def image_size(self) -> int | list[int]:
        """The largest of `SIDES` for which nearly no picture is blown up.

        Where few are so small that even the smallest blows them up, the largest that blows up no more.
        A square, unless nearly all pictures are of about one shape of which a square would lose a good part.
        """
        ratio = self._ratio()
        sizes = [shaped(side, ratio) for side in SIDES]
        blown = [Fitting(size).effects(self._sizes).upscaled / sum(self._sizes.values()) for size in sizes]
        most = max(1 - NEARLY, blown[-1]) if blown[-1] <= LOST else 0.0
        fine = (size for size, share in zip(sizes, blown, strict=True) if share <= most)
        height, width = next(fine, sizes[-1])
        return height if height == width else [height, width]

    @property
    def channels(self) -> int:
        """4 where many pictures are see-through in parts, 1 where none has any colour, else 3."""
        if self._clear > LOST:
            return 4
        return 3 if self._coloured else 1

    @property
    def flip(self) -> bool:
        """Whether mirrored pictures look no different, as far as a linear classifier can tell."""
        return not self._few and told_from_mirrors(self._coarse) <= TELLABLE

    def reason(self, key: str) -> str:
        """Why a setting is what it is, in a few words."""
        if key == "image_size":
            return self._size_reason()
        if key == "channels":
            why = {1: "no picture has colour", 3: "there is colour", 4: "many pictures are see-through in parts"}
            return f"channels={self.channels} ({why[self.channels]})"
        if self.flip:
            return "augment.flip=true (mirrored pictures look no different)"
        return (
            f"augment.flip=false ({'too few pictures to tell' if self._few else 'pictures differ from their mirrors'})"
        )

    def _size_reason(self) -> str:
        size = self.image_size
        words = size_in_words((size, size) if isinstance(size, int) else (size[0], size[1]))
        shorter = size if isinstance(size, int) else min(size)
        reached = sum(n for sides, n in self._sizes.items() if min(sides) >= shorter) / sum(self._sizes.values())
        why = "nearly all pictures reach it" if reached >= NEARLY else f"only {reached:.0%} of the pictures reach it"
        return f"image_size={words} ({why if isinstance(size, int) else f'{why}, in their own shape'})"

    def _ratio(self) -> float:
        """Width over height that nearly all pictures share and that is far from a square, else 1."""
        ratios = sorted(width / height for (height, width), n in self._sizes.items() for _ in range(n))
        middle = median(ratios)
        alike = sum(abs(ratio / middle - 1) <= ALIKE for ratio in ratios)
        far = 1 - min(middle, 1 / middle) > LOST
        return min(max(middle, 1 / LONGEST), LONGEST) if far and alike >= NEARLY * len(ratios) else 1.0

    @cached_property
    def _sizes(self) -> Mapping[Size, int]:
        """How many pictures have which height and width; where all are broken, one that stands for them."""
        found = read_each(some(self._files, HEADERS), size_of)
        sizes = Counter(size for size in found if not isinstance(size, Exception)) or Counter([(SIDES[0], SIDES[0])])
        return halves(sizes) if self._halved else sizes

    @cached_property
    def _looks(self) -> list[tuple[np.ndarray, bool]]:
        """Small pictures uint8 (4, SMALL, SMALL), and whether each is see-through in parts."""
        fitting = (PairFitting if self._halved else Fitting)((SMALL, SMALL * (1 + self._halved)), "stretch")

        def look(file: Path) -> tuple[np.ndarray, bool]:
            picture, original = open_picture(file, fitting, 4)
            return picture, original.clear

        looks = [look for look in read_each(some(self._files, LOOKED_AT), look) if not isinstance(look, Exception)]
        return [(part, clear) for both, clear in looks for part in np.split(both, 1 + self._halved, 2)]

    @cached_property
    def _small(self) -> np.ndarray:
        """Pictures on white, float64 (N, 3, SMALL, SMALL)."""
        looks = np.array([picture for picture, _ in self._looks], np.float64).reshape(-1, 4, SMALL, SMALL)
        cover = looks[:, 3:] / 255
        return looks[:, :3] * cover + 255 * (1 - cover)

    @cached_property
    def _coarse(self) -> np.ndarray:
        """Grey pictures (N, COARSE, COARSE) without copies, by which each would be told from its mirror."""
        return np.unique(coarse(self._small.mean(1)).round(), axis=0)

    @property
    def _few(self) -> bool:
        return len(self._coarse) < FEWEST

    @property
    def _coloured(self) -> bool:
        return not len(self._small) or bool((np.ptp(self._small, axis=1) > TINT).any())

    @property
    def _clear(self) -> float:
        """The share of pictures that are see-through in parts."""
        return sum(clear for _, clear in self._looks) / max(len(self._looks), 1)


def glance_at(folder: Path) -> Glance:
    """The look at a folder's pictures, which is not taken again while they stay as they are.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    return glance_over(pictures_below(folder))


def glance_over(files: list[Path], halved: bool = False) -> Glance:
    """The look at these pictures, likewise; with `halved`, at the two that each file holds side by side."""
    return _glance(tuple(files), fingerprint_of(files), halved)


@lru_cache(maxsize=4)
def _glance(files: tuple[Path, ...], fingerprint: str, halved: bool) -> Glance:
    return Glance(list(files), halved)


def some(files: list[Path], most: int) -> list[Path]:
    """At most so many of the files, always the same ones, in their order."""
    if len(files) <= most:
        return files
    chosen = np.random.default_rng(0).choice(len(files), most, replace=False)
    return [files[k] for k in np.sort(chosen)]


def coarse(grey: np.ndarray) -> np.ndarray:
    """Grey pictures (N, SMALL, SMALL) as (N, COARSE, COARSE), by means."""
    step = SMALL // COARSE
    return grey.reshape(-1, COARSE, step, COARSE, step).mean((2, 4))


def told_from_mirrors(x: np.ndarray) -> float:
    """The share of pictures (N, H, W) that a linear classifier tells from their mirrors; 0.5 is guessing.

    It sees of a picture x and its mirror the difference d = x - mirror(x), scaled to length 1, and answers by the sign
    of w·d. By ridge regression w = (DᵀD + I)⁻¹Dᵀ1, and each picture is judged by the w of all others, in closed form:
    with h = d·(DᵀD + I)⁻¹d its answer is (w·d - h) / (1 - h). What cannot be told counts as half.
    """
    half = x.shape[2] // 2
    apart = (x - x[:, :, ::-1])[:, :, :half].reshape(len(x), -1)
    unit = apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-6)
    inverse = np.linalg.inv(unit.T @ unit + np.eye(unit.shape[1]))
    own = np.einsum("nd,de,ne->n", unit, inverse, unit)
    answer = np.round((unit @ inverse @ unit.sum(0) - own) / (1 - own), 9)
    return float(((answer > 0) + 0.5 * (answer == 0)).mean())
