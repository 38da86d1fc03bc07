"""Instance noise."""

from __future__ import annotations

from torch import Tensor

from gantrain import shares
from gantrain.ranges import COUNT, NOT_NEGATIVE, within
from gantrain.schedules import Number, Schedule, Scheduled
from gantrain.tricks.base import Trick
from gantrain.turns import Batch


class InstanceNoise(Trick):
    """Adds N(0, σ²) to real and fake samples alike before D sees them (Sønderby et al. 2016, section 3.3).

    σ falls linearly from `std` to 0 over `steps` steps; where that is None it stays, or goes as the schedule says that
    `std` then may be.

    Raises:
        ValueError: a negative `std`, or `steps` below 1.
    """

    def __init__(self, std: Number = 0.1, steps: int | None = 10_000) -> None:
        super().__init__()
        within(NOT_NEGATIVE, std=std)
        within(COUNT, steps=steps)
        if isinstance(std, Schedule) and steps is not None:
            raise ValueError("steps is another schedule beside that of std: set steps=null")
        self.std, self.steps = Scheduled(std), steps

    def show(self) -> str:
        return f"{self.name}: as in the first step"

    def augment(self, x: Tensor, batch: Batch) -> Tensor:
        std = self.std.now if self.steps is None else self.std.now * (1 - batch.step / self.steps).clamp(min=0)
        return x + std * shares.randn_like(x)
