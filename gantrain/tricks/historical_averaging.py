"""Historical averaging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks.base import Context, Trick
from gantrain.tricks.ema import lerp

if TYPE_CHECKING:
    from gantrain.games.base import Game


class HistoricalAveraging(Trick):
    """Each player also pays ‖θ - (1/t) Σᵢ θ[i]‖² (Salimans et al. 2016, section 3.3).

    The mean runs over the parameters before each of the t turns so far, the initial ones included.

    Args:
        weight: of the term.
        players: whose; default: every player's.

    Raises:
        ValueError: a negative weight.
    """

    def __init__(self, weight: float = 1.0, players: list[str] | None = None) -> None:
        super().__init__()
        within(NOT_NEGATIVE, weight=weight)
        self.weight, self.players = weight, players

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        if not self.concerns(player):
            return {}
        parameters = context.game.parameters_of(player)
        if not hasattr(self, f"{player}_turns"):
            self.register_buffer(f"{player}_turns", torch.ones((), device=parameters[0].device))
            for k, parameter in enumerate(parameters):
                self.register_buffer(f"{player}_{k}", parameter.detach().clone())
        past = self._past(player, len(parameters))
        apart = [(p - mean).square().sum() for p, mean in zip(parameters, past, strict=True)]
        return {"historical_averaging": self.weight * torch.stack(apart).sum()}

    @torch.no_grad()
    def after_update(self, player: str, game: Game, samples: int) -> None:
        if not hasattr(self, f"{player}_turns"):
            return
        parameters = game.parameters_of(player)
        turns = getattr(self, f"{player}_turns")
        turns += 1
        lerp(self._past(player, len(parameters)), [p.detach() for p in parameters], 1 / turns)

    def _past(self, player: str, count: int) -> list[Tensor]:
        return [getattr(self, f"{player}_{k}") for k in range(count)]
