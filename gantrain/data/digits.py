"""The bundled image set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from gantrain.data.augment import Augment
from gantrain.data.fitting import sides
from gantrain.data.source import LABELLED, DataContext, PackedSource
from gantrain.ranges import within


class Digits(PackedSource):
    """scikit-learn's 1,797 handwritten 8x8 digits (Alpaydin & Kaynak 1998), scaled up; needs no files.

    Args:
        image_size: side of the square, 8 or more, or [height, width], for which digits are stretched.
        held_out: so many of the last samples are kept from training.
        part: `train`, or `test` for those that are kept.

    Raises:
        ValueError: a smaller size, or nothing left to train on.
    """

    name = "digits"
    licence = "CC BY 4.0 (UCI, optical recognition of handwritten digits)"
    classes = 10
    suited_metrics = LABELLED

    def __init__(
        self,
        image_size: int | list[int] = 16,
        augment: Augment | None = None,
        held_out: int = 0,
        part: Literal["train", "test"] = "train",
    ) -> None:
        within("[0, 1797)", held_out=held_out)
        self.image_size, self.held_out, self.part = image_size, held_out, part
        self.shape = [1, *sides(image_size, "[8, 4096]")]
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
        return {"image_size": self.image_size if isinstance(self.image_size, int) else list(self.image_size)}

    def fingerprint(self, data_dir: Path) -> str:
        return "scikit-learn"

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        grey = torch.from_numpy(digits.images).float()[:, None] * (255 / 16)
        grey = F.interpolate(grey, self.shape[1:], mode="bilinear", align_corners=False)
        return {
            "real": grey.round().clamp(0, 255).to(torch.uint8).numpy(),
            "label": digits.target.astype(np.int64),
        }
