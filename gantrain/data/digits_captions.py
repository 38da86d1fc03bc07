"""Bundled digits on a canvas, with captions that are true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from gantrain.data.captions import codes_of
from gantrain.data.fitting import sides
from gantrain.data.source import LABELLED, PackedSource
from gantrain.ranges import within

DIGITS = [("0", "zero"), ("1", "one"), ("2", "two"), ("3", "three"), ("4", "four")]
DIGITS += [("5", "five"), ("6", "six"), ("7", "seven"), ("8", "eight"), ("9", "nine")]
SIZES = {"small": ("small", "little", "tiny"), "big": ("big", "large", "huge")}
PLACES = {
    "left": ("on the left", "at the left", "on the left side"),
    "right": ("on the right", "at the right", "on the right side"),
    "top": ("at the top", "on the top", "on the upper side"),
    "bottom": ("at the bottom", "on the bottom", "on the lower side"),
    "middle": ("in the middle", "in the centre", "at the centre"),
}
COLOURS = {
    "red": (235, 50, 40),
    "green": (50, 200, 70),
    "blue": (70, 100, 255),
    "yellow": (240, 220, 50),
    "purple": (200, 70, 220),
    "white": (255, 255, 255),
}
FACTS = ("digit", "size", "place", "colour")
"""What a caption says, in the order of the fields `shown` and `said`."""
WHOLE = (
    "a {size} {colour} {digit} {place}",
    "{place} a {size} {colour} {digit}",
    "the number {digit}, {size} and {colour}, {place}",
    "a {colour} {digit}, {size}, {place}",
    "a {size} {digit} in {colour} {place}",
)
IN_PART = {
    3: ("a {size} {digit} {place}", "the number {digit}, {size}, {place}"),
    1: ("a {colour} {digit} {place}", "the number {digit} in {colour} {place}"),
    2: ("a {size} {colour} {digit}", "the number {digit}, {size} and {colour}"),
}
"""Captions that leave out one fact, by its number."""
ALPHABET = " !',-.0123456789:?abcdefghijklmnopqrstuvwxyz"
LENGTH = 64
HEIGHTS = (9 / 32, 18 / 32)
"""Of small and big digits, as shares of the canvas."""
EDGE, SWAY = (1 / 32, 3 / 32), 1 / 32
"""A digit at an edge is so far from it; elsewhere so far from the middle at most."""
LEFT_OUT = 10
"""Each so many-th combination of what a caption says, and each so many-th handwritten digit, is never trained on."""


def combinations(part: Literal["train", "test"]) -> np.ndarray:
    """Digit, size, place and colour (n, 4) int64 of all pictures of a part: none of `test` is among those of `train`.

    Those left out differ from each other in all that they say, so that training sees every digit in other places,
    every place in other colours, and so on.
    """
    counts = (range(len(names)) for names in (DIGITS, SIZES, PLACES, COLOURS))
    every = np.array(list(product(*counts)), np.int64)
    left_out = every @ (1, 5, 2, 3) % LEFT_OUT == 0
    return every[left_out if part == "test" else ~left_out]


class DigitsCaptions(PackedSource):
    """scikit-learn's handwritten digits, small or big, coloured, somewhere on a black canvas; needs no files.

    Each picture has captions in several wordings. All say the digit; a few leave out size, place or colour. Fields:
    "caption" (N, L) character codes, of which 0 pads, "label" the digit, "shown" (N, 4) digit, size, place and colour
    of the picture, "said" (N, 4) those that the caption says, -1 where it leaves one out.

    The held-out part has the combinations that training never sees, all said, with handwritten digits that are not in
    it either.

    Args:
        image_size: side of the square, 16 or more, or [height, width].
        pictures: how many are rendered.
        wordings: captions of each picture.
        part: `train`, or `test` for the held-out part, of a tenth as many pictures.

    Raises:
        ValueError: a smaller size, no pictures or no captions.
    """

    name = "digits_captions"
    licence = "CC BY 4.0 (UCI, optical recognition of handwritten digits)"
    classes = 10
    suited_metrics = LABELLED
    alphabet = ALPHABET
    caption_length = LENGTH

    def __init__(
        self,
        image_size: int | list[int] = 32,
        pictures: int = 16000,
        wordings: int = 4,
        part: Literal["train", "test"] = "train",
    ) -> None:
        within("[10, 1000000]", pictures=pictures)
        within("[1, 100]", wordings=wordings)
        self.image_size, self.pictures, self.wordings, self.part = image_size, pictures, wordings, part
        self.shape = [3, *sides(image_size, "[16, 1024]")]

    def held_out_part(self) -> DigitsCaptions | None:
        return None if self.part == "test" else type(self)(self.image_size, self.pictures, self.wordings, "test")

    def count(self, data_dir: Path) -> int:
        return self.pictures if self.part == "train" else max(self.pictures // LEFT_OUT, 1)

    def settings(self, data_dir: Path) -> dict[str, Any]:
        return {"size": self.shape[1:], "pictures": self.pictures, "wordings": self.wordings, "part": self.part}

    def fingerprint(self, data_dir: Path) -> str:
        return "scikit-learn"

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([2016, self.part == "test"])
        facts = combinations(self.part)
        facts = facts[rng.integers(len(facts), size=self.count(data_dir))]
        ink, label = handwritten(self.part)
        written = [rng.choice(np.flatnonzero(label == digit)) for digit in facts[:, 0]]
        real = np.stack([render(ink[k], fact, self.shape[1:], rng) for k, fact in zip(written, facts, strict=True)])
        told = [[caption_of(fact, rng, self.part == "train") for _ in range(self.wordings)] for fact in facts]
        codes = codes_of([[caption for caption, _ in each] for each in told], ALPHABET, LENGTH)
        said = np.array([[said for _, said in each] for each in told], np.int64)
        return {"real": real, "label": facts[:, 0].copy(), "caption": codes, "said": said, "shown": facts}


def handwritten(part: Literal["train", "test"]) -> tuple[list[torch.Tensor], np.ndarray]:
    """Each digit's ink from 0 to 1, cut to the box that holds it, (h, w) float32; and which digit it is."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    here = (np.arange(len(digits.target)) % LEFT_OUT == 0) == (part == "test")
    return [_cut(torch.from_numpy(image).float() / 16) for image in digits.images[here]], digits.target[here]


def _cut(grey: torch.Tensor) -> torch.Tensor:
    rows, columns = ((grey > 0.2).any(axis).nonzero().flatten() for axis in (1, 0))
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def render(ink: torch.Tensor, facts: np.ndarray, size: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """The picture uint8 (3, H, W) of one digit's ink (h, w) with a size, place and colour by their numbers."""
    side = min(size)
    high = round(HEIGHTS[facts[1]] * side)
    wide = min(max(round(high * ink.shape[1] / ink.shape[0]), 2), high)
    grey = F.interpolate(ink[None, None], (high, wide), mode="bilinear", align_corners=False)[0, 0].clamp(0, 1).numpy()
    place = list(PLACES)[facts[2]]
    top = _start(size[0], high, {"top": -1, "bottom": 1}.get(place, 0), side, rng)
    left = _start(size[1], wide, {"left": -1, "right": 1}.get(place, 0), side, rng)
    picture = np.zeros((3, *size), np.uint8)
    colour = np.array(list(COLOURS.values())[facts[3]], np.float32)
    picture[:, top : top + high, left : left + wide] = (colour[:, None, None] * grey).round()
    return picture


def _start(length: int, extent: int, edge: int, side: int, rng: np.random.Generator) -> int:
    """Where a digit begins along an axis: near its beginning (-1), near its end (1), or in the middle (0)."""
    room = length - extent
    if not edge:
        start = room / 2 + rng.uniform(-SWAY, SWAY) * side
    else:
        away = rng.uniform(*EDGE) * side
        start = away if edge < 0 else room - away
    return min(max(round(start), 0), room)


def caption_of(facts: np.ndarray, rng: np.random.Generator, in_part: bool) -> tuple[str, np.ndarray]:
    """A true caption in a wording drawn at random, and what it says (4,), -1 where it leaves something out.

    Args:
        in_part: four in ten captions leave out one of size, place and colour.
    """
    said, templates = facts.copy(), list(WHOLE)
    if in_part and rng.random() < 0.4:
        left_out = int(rng.choice(list(IN_PART)))
        said[left_out], templates = -1, list(IN_PART[left_out])
    words = {
        "digit": rng.choice(DIGITS[facts[0]]),
        "size": rng.choice(list(SIZES.values())[facts[1]]),
        "place": rng.choice(list(PLACES.values())[facts[2]]),
        "colour": list(COLOURS)[facts[3]],
    }
    return str(rng.choice(templates)).format(**words), said


def size_place_colour(pixels: np.ndarray) -> np.ndarray:
    """Size, place and colour (n, 3) int64, by their numbers, as measured of pictures uint8 (n, 3, H, W).

    The digit is where brightness is: the box that leaves out a fortieth of it on each side tells height and middle. A
    place off the middle is that of the side to which the box is moved most; the colour is the nearest of the palette
    to the mean colour, whatever the brightness. A picture without any is small, in the middle and white.
    """
    bright = pixels.max(1).astype(np.float64)
    bright[bright < 64] = 0
    height, width = bright.shape[1:]
    (top, bottom), (left, right) = (_box(bright.sum(axis)) for axis in (2, 1))
    side = min(height, width)
    big = (bottom - top) / side > sum(HEIGHTS) / 2
    across, down = (left + right - width) / 2 / side, (top + bottom - height) / 2 / side
    names = list(PLACES)
    sideways = np.where(across < 0, names.index("left"), names.index("right"))
    upright = np.where(down < 0, names.index("top"), names.index("bottom"))
    place = np.where(np.abs(across) > np.abs(down), sideways, upright)
    away = np.maximum(np.abs(across), np.abs(down))
    place = np.where(away < OFF_MIDDLE, names.index("middle"), place)
    mean = (pixels * (bright > 0)[:, None]).sum((2, 3)) + 1.0
    palette = np.array(list(COLOURS.values()), np.float64)
    likeness = (mean / np.linalg.norm(mean, axis=1, keepdims=True)) @ (
        palette / np.linalg.norm(palette, axis=1, keepdims=True)
    ).T
    return np.stack([big.astype(np.int64), place, likeness.argmax(1)], 1)


def digit_boxes(pixels: np.ndarray) -> np.ndarray:
    """The brightness (n, 8, 8) from 0 to 1 within the box of each digit, of pictures uint8 (n, 3, H, W).

    What its place, size and colour do to a digit is taken away: whoever names it looks at its form alone.
    """
    bright = torch.from_numpy(pixels.max(1)).float()
    seen = np.where(bright.numpy() < 64, 0, bright.numpy()).astype(np.float64)
    edges = zip(*(edge.astype(int) for axis in (2, 1) for edge in _box(seen.sum(axis))), strict=True)
    boxes = [
        F.interpolate(grey[None, None, top : bottom + 1, left : right + 1], (8, 8), mode="bilinear", antialias=True)
        for grey, (top, bottom, left, right) in zip(bright, edges, strict=True)
    ]
    found = torch.cat(boxes).flatten(1)
    return (found / found.amax(1, keepdim=True).clamp_min(1)).view(-1, 8, 8).numpy()


OFF_MIDDLE = 2.6 / 32
"""From so far off the middle on, as a share of the canvas, a digit is at a side: half-way for big ones."""
CUT = 1 / 40
"""Of brightness, what the box of a digit leaves out on each side."""


def _box(profile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where brightness begins and ends along an axis (n,), of its profiles (n, length); the middle where it is dark."""
    share = profile.cumsum(1) / np.maximum(profile.sum(1, keepdims=True), 1)
    there, middle = share[:, -1] > 0, profile.shape[1] / 2
    begin, end = (share <= CUT).sum(1), (share < 1 - CUT).sum(1) + 1
    return np.where(there, begin, middle), np.where(there, end, middle)
