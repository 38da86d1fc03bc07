"""The bundled image set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from gantrain.data.augment import Augment
from gantrain.data.source import DataContext, PackedSource
from gantrain.ranges import within


class Digits(PackedSource):
    """scikit-learn's 1,797 handwritten 8x8 digits (Alpaydin & Kaynak 1998), scaled up; needs no files.

    Args:
        image_size: 8 or more.
        held_out: so many of the last samples are kept from training.
        part: `train`, or `test` for those that are kept.

    Raises:
        ValueError: a smaller size, or nothing left to train on.
    """

    name = "digits"
    classes = 10

    def __init__(
        self,
        image_size: int = 16,
        augment: Augment | None = None,
        held_out: int = 0,
        part: Literal["train", "test"] = "train",
    ) -> None:
        within("[8, 4096]", image_size=image_size)
        within("[0, 1797)", held_out=held_out)
        self.image_size, self.held_out, self.part = image_size, held_out, part
        self.shape = [1, image_size, image_size]
        self.augment = augment and augment.fitting(self.shape)

    def held_out_part(self) -> Digits | None:
        if not self.held_out or self.part == "test":
            return None
        return type(self)(self.image_size, None, self.held_out, "test")

    def fields(self, context: DataContext) -> dict[str, np.ndarray]:
        whole = super().fields(context)
        there = len(whole["real"]) - self.held_out
        kept = slice(there, None) if self.part == "test" else slice(there)
        return {name: values[kept] for name, values in whole.items()}

    def settings(self, data_dir: Path) -> dict[str, Any]:
        return {"image_size": self.image_size}

    def fingerprint(self, data_dir: Path) -> str:
        return "scikit-learn"

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        grey = torch.from_numpy(digits.images).float()[:, None] * (255 / 16)
        grey = F.interpolate(grey, (self.image_size,) * 2, mode="bilinear", align_corners=False)
        return {
            "real": grey.round().clamp(0, 255).to(torch.uint8).numpy(),
            "label": digits.target.astype(np.int64),
        }
