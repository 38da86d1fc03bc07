"""An averaged generator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gantrain.ranges import POSITIVE, within
from gantrain.tricks.base import Trick

if TYPE_CHECKING:
    from gantrain.games.base import Game


class EMA(Trick):
    """Samples and evaluations use an exponential moving average of each generator (Karras et al. 2017).

    Args:
        half_life: in images seen (Karras et al. 2019).
        ramp_up: the half-life is at most this share of the images seen so far, so that the average soon forgets the
            start (Karras et al. 2020); null for none.

    Floating-point buffers such as running means are averaged too; other buffers are copied.

    Raises:
        ValueError: `half_life` or `ramp_up` is not positive.
    """

    images: Tensor

    def __init__(self, half_life: float = 50_000, ramp_up: float | None = 0.05) -> None:
        super().__init__()
        within(POSITIVE, half_life=half_life, ramp_up=ramp_up)
        self.half_life, self.ramp_up = half_life, ramp_up
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))

    def setup(self, game: Game) -> None:
        game.averaged = True

    @torch.no_grad()
    def after_update(self, player: str, game: Game, samples: int) -> None:
        if player not in game.averages:
            return
        self.images += samples
        images = self.images.float()
        half_life = torch.full_like(images, self.half_life)
        if self.ramp_up is not None:
            half_life = torch.minimum(half_life, images * self.ramp_up)
        weight = -torch.expm1(-math.log(2) * samples / half_life)  # of the newest parameters
        average, current = game.averages[player], game.get_submodule(player)
        slow = [*average.parameters(), *average.buffers()]
        fast = [*current.parameters(), *current.buffers()]
        floats = [k for k, t in enumerate(slow) if t.is_floating_point()]
        lerp([slow[k] for k in floats], [fast[k] for k in floats], weight)
        for k in set(range(len(slow))) - set(floats):
            slow[k].copy_(fast[k])


def lerp(slow: list[Tensor], fast: list[Tensor], weight: Tensor) -> None:
    """slow += weight · (fast - slow), with a weight that stays on the device."""
    change = torch._foreach_sub(fast, slow)
    torch._foreach_mul_(change, weight)
    torch._foreach_add_(slow, change)
