"""Pairs out of single pictures: each is given in a worse form, from which it should be made again."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from gantrain import shares
from gantrain.data.batches import Batches
from gantrain.ranges import within

Kind = Literal["downscale", "grey", "noise"]
LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue have in grey (ITU-R BT.601)."""


class Degrade:
    """Makes pictures (N, C, H, W) in [-1, 1] worse, on the device.

    Args:
        kind: `downscale` makes them `factor` times smaller and as large as before again, `grey` takes their colour
            away, `noise` adds normal noise of the standard deviation `sigma`, drawn anew each time.
        sigma: in levels of 255.

    Raises:
        ValueError: pictures have no colour to take away, or fewer pixels than `factor`.
    """

    def __init__(self, kind: Kind, shape: list[int], factor: int = 4, sigma: float = 25.0) -> None:
        within("[2, 64]", factor=factor)
        within("(0, 255]", sigma=sigma)
        channels, *size = shape
        if kind == "grey" and channels < 3:
            raise ValueError("dataset.degrade=grey takes colour away, but pictures have none: set dataset.channels=3")
        if kind == "downscale" and min(size) < factor:
            raise ValueError(
                f"dataset.factor={factor} leaves nothing of pictures of side {min(size)}: set a smaller one"
            )
        self.kind, self.factor, self.sigma = kind, factor, sigma
        self.shape = [1, *size] if kind == "grey" else shape

    def __call__(self, x: Tensor) -> Tensor:
        """Worse pictures of the same size, in [-1, 1]; grey ones have one channel."""
        if self.kind == "grey":
            return sum(part * x[:, k : k + 1] for k, part in enumerate(LUMA))  # type: ignore[return-value]
        if self.kind == "noise":
            return (x + shares.randn_like(x) * (self.sigma / 127.5)).clamp(-1, 1)
        height, width = x.shape[2:]
        small = (max(height // self.factor, 1), max(width // self.factor, 1))
        x = F.interpolate(x, small, mode="bicubic", antialias=True)
        return F.interpolate(x, (height, width), mode="bicubic").clamp(-1, 1)


class DegradedBatches(Batches):
    """Batches with a worse form of each picture as its "input", made after augmentation."""

    def __init__(self, inner: Batches, degrade: Degrade) -> None:
        self._inner, self._degrade = inner, degrade
        self.size, self.facts = inner.size, inner.facts

    def draw(self, position: int, n: int) -> dict[str, Tensor]:
        batch = self._inner.draw(position, n)
        self.waited = self._inner.waited
        return {**batch, "input": self._degrade(batch["real"])}

    def unaugmented(self, seed: int | None = None) -> Batches:
        return DegradedBatches(self._inner.unaugmented(seed), self._degrade)

    def close(self) -> None:
        self._inner.close()
