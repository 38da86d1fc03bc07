"""What runs cost: time on devices, and images that were trained on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gantrain.report.html.record import Record


@dataclass(frozen=True)
class Cost:
    """Of some runs together."""

    seconds: float
    """Of training, each device's for itself; without evaluations and pictures."""
    images: int
    """Real ones that were shown in rounds, however often a round plays them."""

    def __str__(self) -> str:
        return f"{self.seconds:,.0f} device-seconds of training, {self.images:,} images"


def cost_of(records: Iterable[Record]) -> Cost:
    """The cost of runs as their logs tell it: from the speed of each stretch between two lines."""
    seconds, images = 0.0, 0
    for record in records:
        batch = re.search(r"^trainer:\n(?: .*\n)*?  batch_size: (\d{1,9})$", record.config, re.MULTILINE)
        speed = record.curves.get("speed/images_per_second")
        if batch is None or speed is None:
            continue
        told = record.curves.get("speed/device_seconds_per_1000_images")
        shared = dict(zip(told.steps, told.values, strict=True)) if told else {}
        devices = 1.0 if told else _devices(record.status.machine or "")
        origin = record.folder.origin.read()
        before = origin.step if origin is not None else 0  # what a fork came from has its own cost
        for step, rate in zip(speed.steps, speed.values, strict=True):
            if step <= before:
                continue
            shown, before = (step - before) * int(batch[1]), step
            images += shown
            each = shared.get(step)
            seconds += (devices * shown / rate if rate else 0.0) if each is None else shown * each / 1000
    return Cost(seconds, images)


def _devices(machine: str) -> float:
    """That trained a run whose log does not tell: by what was written of its machine."""
    processes = re.search(r", (\d{1,5}) processes", machine)
    shared = re.search(r", one of ([1-9]\d{0,4}) runs at once", machine)
    return int(processes[1] if processes else 1) / int(shared[1] if shared else 1)
