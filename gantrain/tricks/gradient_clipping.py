"""Gradient clipping."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from gantrain.ranges import POSITIVE, within
from gantrain.tricks.base import Trick
from gantrain.turns import Player


class GradientClipping(Trick):
    """Scales a player's gradient down to the norm `max_norm` where it is longer (Pascanu et al. 2013).

    Args:
        max_norm: of all the player's gradients as one vector.
        players: whose; default: every player's.
    """

    def __init__(self, max_norm: float = 1.0, players: list[str] | None = None) -> None:
        super().__init__()
        within(POSITIVE, max_norm=max_norm)
        self.max_norm, self.players = max_norm, players

    def before_update(self, player: Player, parameters: Sequence[nn.Parameter]) -> None:
        if self.concerns(player):
            nn.utils.clip_grad_norm_(parameters, self.max_norm)
