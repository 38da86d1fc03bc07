"""Numbers of a run, gathered on the device and read by the host only when they are wanted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from gantrain.sharded import whole


class Meter:
    """Means since the last reading. Adding is a device operation; `read` is the one transfer.

    Sums stand in places of tensors that are made once, so that a captured turn always finds them.

    Args:
        mean_of_all: what all who play together have of a tensor, on average; None of who plays alone.
    """

    def __init__(
        self,
        device: torch.device | None = None,
        places: int = 64,
        mean_of_all: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._device, self._count_of_places, self._mean_of_all = device, places, mean_of_all
        self._pages: list[Tensor] = []
        self._places: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._steps, self._finite = 0, list[Tensor]()
        self.spoilt: dict[str, int] = {}
        """How many steps before the last reading a sum that was no number then became so; known of who plays alone."""

    def begin_step(self) -> None:
        """Counts the steps at whose beginning a sum is still a number: the device knows then when it ceased to be."""
        self._steps += 1
        if self._mean_of_all is None:
            for page, finite in zip(self._pages, self._finite, strict=True):
                finite.add_(page.isfinite())

    def add(self, tag: str, value: Tensor) -> None:
        if tag not in self._places:
            page, place = divmod(len(self._places), self._count_of_places)
            if page == len(self._pages):
                self._pages.append(torch.zeros(self._count_of_places, device=self._device))
                self._finite.append(torch.full_like(self._pages[-1], self._steps))
            self._places[tag] = self._pages[page][place]
        self._places[tag].add_(whole(value.detach()))
        self._counts[tag] = self._counts.get(tag, 0) + 1

    def read(self, go_on: bool = False) -> dict[str, float]:
        """The means of what was added; then the meter starts anew, unless it is to `go_on`."""
        if not any(self._counts.values()):
            return {}
        held = torch.cat(self._pages)
        sums = (held if self._mean_of_all is None else self._mean_of_all(held)).tolist()
        means = {
            tag: total / self._counts[tag] for tag, total in zip(self._places, sums, strict=False) if self._counts[tag]
        }
        self.spoilt = {}
        if self._mean_of_all is None and not all(map(math.isfinite, sums)):
            finite = torch.cat(self._finite).tolist()
            self.spoilt = {tag: int(self._steps - steps) for tag, steps in zip(self._places, finite, strict=False)}
        if not go_on:
            self.clear()
        return means

    def clear(self) -> None:
        """Forgets what was added."""
        for page in self._pages:
            page.zero_()
        for finite in self._finite:
            finite.zero_()
        self._steps, self._counts = 0, dict.fromkeys(self._counts, 0)


class Clock:
    """Speeds since the last reading, without the time that was spent beside training.

    Args:
        step, waited: where the run stands: rounds played, and seconds spent waiting for data.
        batch_size: images per round.
        devices: that train the run; of one that shares its device with others, its part of it.
    """

    def __init__(self, step: int, waited: float, batch_size: int, devices: float = 1.0) -> None:
        self._batch_size, self._devices = batch_size, devices
        self._began, self._beside, self._evaluated = time.monotonic(), 0.0, 0.0
        self._mark = (self._began, step, waited, self._beside)

    @contextmanager
    def beside(self, evaluating: bool = False) -> Iterator[None]:
        """While something else than training is done: an evaluation, or something that no share is told of."""
        began = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - began
            self._beside += spent
            self._evaluated += spent if evaluating else 0.0

    def share_of_evaluations(self) -> float:
        """The share of the time so far that evaluations took."""
        return self._evaluated / max(time.monotonic() - self._began, 1e-9)

    def read(self, step: int, waited: float) -> dict[str, float]:
        """The speeds up to here."""
        then, self._mark = self._mark, (time.monotonic(), step, waited, self._beside)
        seconds, steps, waited, beside = (now - was for now, was in zip(self._mark, then, strict=True))
        seconds -= beside
        images = steps * self._batch_size
        cost = 1000 * self._devices * seconds / max(images, 1)
        return ({"speed/device_seconds_per_1000_images": cost} if self._devices != 1 else {}) | {
            "speed/images_per_second": images / max(seconds, 1e-9),
            "speed/seconds_per_1000_images": 1000 * seconds / max(images, 1),
            "speed/data_wait": waited / max(seconds, 1e-9),
        }
