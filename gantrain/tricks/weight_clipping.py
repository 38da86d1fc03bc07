"""Weight clipping."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrain.ranges import POSITIVE, within
from gantrain.sharded import local
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface
from gantrain.turns import Player


class WeightClipping(Trick):
    """Keeps every parameter of a discriminator within ±`limit` after its update (Arjovsky et al. 2017, algorithm 1)."""

    def __init__(self, limit: float = 0.01) -> None:
        super().__init__()
        within(POSITIVE, limit=limit)
        self.limit = limit

    @torch.no_grad()
    def constrain(self, player: Player, game: GameInterface) -> None:
        if player.is_discriminator:
            parameters: list[Tensor] = [
                local(p) for p in game.parameters_of(player.name) if p.requires_grad
            ]  # the rest is frozen
            torch._foreach_clamp_min_(parameters, -self.limit)
            torch._foreach_clamp_max_(parameters, self.limit)
