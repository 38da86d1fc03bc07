"""Numbers of a run, gathered on the device and read by the host only when they are wanted."""

from __future__ import annotations

import time

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

    def read(self, go_on: bool = False) -> dict[str, float]:
        """The means; then the meter starts anew, unless it is to `go_on`."""
        if not self._sums:
            return {}
        sums = torch.stack(list(self._sums.values())).tolist()
        means = {tag: total / self._counts[tag] for tag, total in zip(self._sums, sums, strict=True)}
        if not go_on:
            self.clear()
        return means

    def clear(self) -> None:
        """Forgets what was added."""
        self._sums, self._counts = {}, {}


class Clock:
    """Speeds since the last reading.

    Args:
        step, waited: where the run stands: rounds played, and seconds spent waiting for data.
        batch_size: images per round.
    """

    def __init__(self, step: int, waited: float, batch_size: int) -> None:
        self._batch_size = batch_size
        self._mark = (time.monotonic(), step, waited)

    def read(self, step: int, waited: float) -> dict[str, float]:
        """The speeds up to here."""
        then, self._mark = self._mark, (time.monotonic(), step, waited)
        seconds, steps, waited = (now - was for now, was in zip(self._mark, then, strict=True))
        images = steps * self._batch_size
        return {
            "speed/images_per_second": images / max(seconds, 1e-9),
            "speed/seconds_per_1000_images": 1000 * seconds / max(images, 1),
            "speed/data_wait": waited / max(seconds, 1e-9),
        }
