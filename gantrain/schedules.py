"""Schedules: numbers that follow from the step alone, so that they need no state.

`optimizer.schedule` is a factor on every learning rate. Wherever a setting says `Number`, a schedule may stand in its
place, and is then the number itself.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from gantrain.ranges import COUNT, FINITE, SHARE, within


class Schedule:
    """A number that follows from the step."""

    def __call__(self, step: int, steps: int) -> float:
        """The number in step `step` (from 0) of `steps`."""
        raise NotImplementedError

    def ends(self) -> tuple[float, ...]:
        """The least and the largest number that it can be, for which its place has bounds."""
        raise NotImplementedError


class RateSchedule(Schedule):
    """A factor on learning rates, `optimizer.schedule`: it says how they go, and not what they are."""


class Constant(RateSchedule):
    """Always 1: the learning rate stays."""

    def __call__(self, step: int, steps: int) -> float:
        return 1.0

    def ends(self) -> tuple[float, ...]:
        return (1.0,)


class Ramp(Schedule):
    """From `start` to `end` in the first `steps` steps, and `end` from then on.

    Args:
        start, end: of the number.
        steps: null for the whole run.
        shape: `linear`; `cosine`, half a cosine, as R3GAN moves γ, β₂ and its average's half-life (Huang et al. 2024).

    Raises:
        ValueError: `start` or `end` is no number, or `steps` is below 1.
    """

    def __init__(
        self, start: float, end: float, steps: int | None = None, shape: Literal["linear", "cosine"] = "linear"
    ) -> None:
        within(FINITE, start=start, end=end)
        within(COUNT, steps=steps)
        self.start, self.end, self.steps, self.shape = start, end, steps, shape

    def __call__(self, step: int, steps: int) -> float:
        share = min(step / (self.steps or steps), 1.0)
        if self.shape == "cosine":
            share = 0.5 * (1 - math.cos(math.pi * share))
        return self.start + (self.end - self.start) * share

    def ends(self) -> tuple[float, ...]:
        return (self.start, self.end)


class Exponential(RateSchedule):
    """`rate` to the power of step / every; in whole powers where `staircase` (TensorFlow's exponential_decay).

    Raises:
        ValueError: `rate` outside (0, 1], or `every` below 1.
    """

    def __init__(self, rate: float = 0.95, every: int = 150, staircase: bool = True) -> None:
        within("(0, 1]", rate=rate)
        within(COUNT, every=every)
        self.rate, self.every, self.staircase = rate, every, staircase

    def __call__(self, step: int, steps: int) -> float:
        return self.rate ** (step // self.every if self.staircase else step / self.every)

    def ends(self) -> tuple[float, ...]:
        return (math.ulp(0.0), 1.0)  # never 0


class Linear(RateSchedule):
    """Constant, then straight to zero over the last `part` of the run (Zhu et al. 2017 use one half).

    Raises:
        ValueError: `part` outside (0, 1].
    """

    def __init__(self, part: float = 0.5) -> None:
        within("(0, 1]", part=part)
        self.part = part

    def __call__(self, step: int, steps: int) -> float:
        return min(1.0, max(0.0, (steps - step) / (self.part * steps)))

    def ends(self) -> tuple[float, ...]:
        return (0.0, 1.0)


class Geometric(RateSchedule):
    """Constant, then by the same factor in every step down to `floor` over the last `part` of the run.

    Donahue et al. 2017 use one half and 0.01.

    Raises:
        ValueError: `part` or `floor` outside (0, 1].
    """

    def __init__(self, part: float = 0.5, floor: float = 0.01) -> None:
        within("(0, 1]", part=part, floor=floor)
        self.part, self.floor = part, floor

    def __call__(self, step: int, steps: int) -> float:
        gone = (step - (1 - self.part) * steps) / (self.part * steps)
        return self.floor ** min(max(gone, 0.0), 1.0)

    def ends(self) -> tuple[float, ...]:
        return (self.floor, 1.0)


class Cosine(RateSchedule):
    """Half a cosine from 1 to `floor` over the whole run (Loshchilov & Hutter 2017).

    Raises:
        ValueError: `floor` outside [0, 1].
    """

    def __init__(self, floor: float = 0.0) -> None:
        within(SHARE, floor=floor)
        self.floor = floor

    def __call__(self, step: int, steps: int) -> float:
        share = min(step / steps, 1.0)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * share))

    def ends(self) -> tuple[float, ...]:
        return (self.floor, 1.0)


Number = float | Schedule
"""A setting that stays, or that a schedule moves."""


class Scheduled:
    """A setting as it is in this turn.

    `now` is the number itself where it stays, and else a tensor () float32 that is made once, on the device, and filled
    at every step's start.

    Raises:
        ValueError: a factor on learning rates, which is no number.
    """

    def __init__(self, setting: Number) -> None:
        refuse_rate_schedule(setting)
        self.setting = setting
        self.now: float | Tensor = torch.tensor(setting(0, 1)) if isinstance(setting, Schedule) else setting

    def move_to(self, step: int, steps: int, device: torch.device) -> None:
        """To the start of step `step` (from 0) of `steps`."""
        if isinstance(self.setting, Schedule) and isinstance(self.now, Tensor):
            if self.now.device != device:
                self.now = self.now.to(device)
            self.now.fill_(self.setting(step, steps))


def refuse_rate_schedule(setting: object) -> None:
    """Raises ValueError where a number is wanted and a factor on learning rates given."""
    if isinstance(setting, RateSchedule):
        kind = type(setting).__name__
        raise ValueError(f"{kind} is a schedule of learning rates, for optimizer.schedule: a number takes a Ramp")


class HasSchedules:
    """What has settings that may be scheduled: every `Scheduled` among its attributes, or in a mapping there."""

    def scheduled(self) -> list[Scheduled]:
        """Those that a schedule moves."""
        groups = [value.values() if isinstance(value, dict) else [value] for value in vars(self).values()]
        held = (value for group in groups for value in group if isinstance(value, Scheduled))
        return [value for value in held if isinstance(value.setting, Schedule)]
