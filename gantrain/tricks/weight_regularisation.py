"""Weight regularisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks.base import Context, Trick


class WeightRegularisation(Trick):
    """A player also pays l1·Σ|w| + l2·Σw² over its weights; biases, and gains of norms without labels, are free.

    Args:
        l1, l2: strengths by player, such as `discriminator: 1e-4`; a player whose name begins so counts as well.

    Raises:
        ValueError: a negative strength.
    """

    def __init__(self, l1: dict[str, float] | None = None, l2: dict[str, float] | None = None) -> None:
        super().__init__()
        self.l1, self.l2 = l1 or {}, l2 or {}
        self.players = [*self.l1, *self.l2]
        within(NOT_NEGATIVE, l1=self.l1, l2=self.l2)

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        family = player.partition("_")[0]
        l1, l2 = (strengths.get(player, strengths.get(family, 0.0)) for strengths in (self.l1, self.l2))
        weights = [p for p in context.game.parameters_of(player) if p.dim() > 1]
        found = {}
        if l1:
            found["l1"] = l1 * torch.stack([w.abs().sum() for w in weights]).sum()
        if l2:
            found["l2"] = l2 * torch.stack([w.square().sum() for w in weights]).sum()
        return found
