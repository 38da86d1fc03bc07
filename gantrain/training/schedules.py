"""Learning-rate schedules: a factor that follows from the step alone, so that they need no state."""

from __future__ import annotations

import math

from gantrain.ranges import COUNT, SHARE, within


class Schedule:
    """The constant schedule."""

    def __call__(self, step: int, steps: int) -> float:
        """The factor on the learning rate in step `step` (from 0) of `steps`."""
        return 1.0


class Constant(Schedule):
    """The learning rate stays."""


class Exponential(Schedule):
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


class Linear(Schedule):
    """Constant, then straight to zero over the last `part` of the run (Zhu et al. 2017 use one half).

    Raises:
        ValueError: `part` outside (0, 1].
    """

    def __init__(self, part: float = 0.5) -> None:
        within("(0, 1]", part=part)
        self.part = part

    def __call__(self, step: int, steps: int) -> float:
        return min(1.0, max(0.0, (steps - step) / (self.part * steps)))


class Geometric(Schedule):
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


class Cosine(Schedule):
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
