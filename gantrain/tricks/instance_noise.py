"""Instance noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gantrain.ranges import COUNT, NOT_NEGATIVE, within
from gantrain.tricks.base import Trick

if TYPE_CHECKING:
    from gantrain.games.base import Batch


class InstanceNoise(Trick):
    """Adds N(0, σ²) to real and fake samples alike before D sees them (Sønderby et al. 2016, section 3.3).

    σ falls linearly from `std` to 0 over `steps` steps; it stays where that is None.

    Raises:
        ValueError: a negative `std`, or `steps` below 1.
    """

    def __init__(self, std: float = 0.1, steps: int | None = 10_000) -> None:
        super().__init__()
        within(NOT_NEGATIVE, std=std)
        within(COUNT, steps=steps)
        self.std, self.steps = std, steps

    def view(self, x: Tensor, batch: Batch) -> Tensor:
        std = self.std if self.steps is None else self.std * (1 - batch.step / self.steps).clamp(min=0)
        return x + std * torch.randn_like(x)
