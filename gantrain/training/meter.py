"""Numbers of a run, gathered on the device and read by the host only when they are wanted."""

from __future__ import annotations

import torch
from torch import Tensor


class Meter:
    """Means since the last reading. Adding is a device operation; `read` is the one transfer."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, tag: str, value: Tensor) -> None:
        value = value.detach().float()
        if tag in self._sums:
            self._sums[tag].add_(value)
            self._counts[tag] += 1
        else:
            self._sums[tag] = value.clone()
            self._counts[tag] = 1

    def read(self) -> dict[str, float]:
        """The means, and the meter starts anew."""
        if not self._sums:
            return {}
        sums = torch.stack(list(self._sums.values())).tolist()
        means = {tag: total / self._counts[tag] for tag, total in zip(self._sums, sums, strict=True)}
        self._sums, self._counts = {}, {}
        return means
