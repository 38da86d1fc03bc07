"""Bundled pairs of pictures: digits and their outlines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from gantrain.data.augment import Augment
from gantrain.data.digits import Digits
from gantrain.data.source import DataContext

Direction = Literal["a_to_b", "b_to_a"]


class DigitsPairs(Digits):
    """The bundled digits, each with its outline: white where the digit is bright and a neighbouring pixel is not.

    An outline says where the digit is, and neither how bright nor how soft it is: several digits have the same.

    Args:
        direction: `a_to_b` asks for the digit of an outline, `b_to_a` for the outline of a digit.
    """

    name = "digits_pairs"

    def __init__(
        self,
        image_size: int | list[int] = 16,
        augment: Augment | None = None,
        held_out: int = 0,
        part: Literal["train", "test"] = "train",
        direction: Direction = "a_to_b",
    ) -> None:
        super().__init__(image_size, augment, held_out, part)
        self.direction, self.input_shape = direction, self.shape

    def held_out_part(self) -> DigitsPairs | None:
        if not self.held_out or self.part == "test":
            return None
        return type(self)(self.image_size, None, self.held_out, "test", self.direction)

    def fields(self, context: DataContext) -> dict[str, np.ndarray]:
        fields = super().fields(context)
        return turned(fields) if self.direction == "b_to_a" else fields

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        fields = super().pack(data_dir, folder, say)
        return {**fields, "input": outlines(fields["real"])}


def turned(fields: dict[str, Any]) -> dict[str, Any]:
    """Pairs with what is given and what is asked for in exchanged parts."""
    return {**fields, "real": fields["input"], "input": fields["real"]}


def outlines(pixels: np.ndarray) -> np.ndarray:
    """Of pictures uint8 (N, 1, H, W) the pixels of 128 or more that have a darker one among their eight neighbours."""
    bright = torch.from_numpy(pixels >= 128).float()
    inner = -F.max_pool2d(-F.pad(bright, (1, 1, 1, 1)), 3, stride=1)
    return ((bright - inner) * 255).to(torch.uint8).numpy()
