"""Weight regularisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.schedules import Number, Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import TurnContext
from gantrain.turns import Player


class WeightRegularisation(Trick):
    """A player also pays l1·Σ|w| + l2·Σw² over its weights; biases, and gains of norms without labels, are free.

    Args:
        l1, l2: strengths by player, such as `discriminator: 1e-4`; or by role.

    Raises:
        ValueError: a negative strength.
    """

    def __init__(self, l1: dict[str, Number] | None = None, l2: dict[str, Number] | None = None) -> None:
        super().__init__()
        within(NOT_NEGATIVE, l1=l1, l2=l2)
        self.l1 = {player: Scheduled(strength) for player, strength in (l1 or {}).items()}
        self.l2 = {player: Scheduled(strength) for player, strength in (l2 or {}).items()}
        self.players = [*self.l1, *self.l2]

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        role = player.role.value
        l1, l2 = (strengths.get(player.name, strengths.get(role)) for strengths in (self.l1, self.l2))
        weights = [p for p in context.game.parameters_of(player.name) if p.dim() > 1]
        found = {}
        if l1 is not None and l1.setting != 0:
            found["l1"] = l1.now * torch.stack([w.abs().sum() for w in weights]).sum()
        if l2 is not None and l2.setting != 0:
            found["l2"] = l2.now * torch.stack([w.square().sum() for w in weights]).sum()
        return found
