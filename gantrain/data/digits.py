"""The bundled image set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from gantrain.data.augment import Augment
from gantrain.data.source import PackedSource


class Digits(PackedSource):
    """scikit-learn's 1,797 handwritten 8x8 digits (Alpaydin & Kaynak 1998), scaled up; needs no files.

    Args:
        image_size: 8 or more.

    Raises:
        ValueError: a smaller size.
    """

    name = "digits"
    classes = 10

    def __init__(self, image_size: int = 16, augment: Augment | None = None) -> None:
        if image_size < 8:
            raise ValueError(f"image_size must be 8 or more, got {image_size}")
        self.image_size = image_size
        self.shape = [1, image_size, image_size]
        self.augment = augment

    def settings(self) -> dict[str, Any]:
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
