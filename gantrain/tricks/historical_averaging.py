"""Historical averaging."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.schedules import Number, Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.ema import lerp
from gantrain.tricks.interface import GameInterface, RunPlan, TurnContext
from gantrain.turns import DrawBatch, Player


class HistoricalAveraging(Trick):
    """Each player also pays ‖θ - (1/t) Σᵢ θ[i]‖² (Salimans et al. 2016, section 3.3).

    The mean runs over the parameters before each of the t turns so far, the initial ones included.

    Args:
        weight: of the term.
        players: whose; default: every player's.

    Raises:
        ValueError: a negative weight.
    """

    def __init__(self, weight: Number = 1.0, players: list[str] | None = None) -> None:
        super().__init__()
        within(NOT_NEGATIVE, weight=weight)
        self.weight, self.players = Scheduled(weight), players

    def check(self, plan: RunPlan) -> None:
        plan.needs_whole_weights(f"{self.name} keeps a mean of all weights")

    def begin(self, game: GameInterface, draw: DrawBatch) -> None:
        for player in filter(self.concerns, game.players):
            parameters = game.parameters_of(player.name)
            self.register_buffer(f"{player.name}_turns", torch.ones((), device=parameters[0].device))
            for k, parameter in enumerate(parameters):
                self.register_buffer(f"{player.name}_{k}", parameter.detach().clone())

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        if not self.concerns(player):
            return {}
        parameters = context.game.parameters_of(player.name)
        past = self._past(player, len(parameters))
        apart = [(p - mean).square().sum() for p, mean in zip(parameters, past, strict=True)]
        return {"historical_averaging": self.weight.now * torch.stack(apart).sum()}

    @torch.no_grad()
    def after_update(self, player: Player, game: GameInterface, samples: int) -> None:
        if not self.concerns(player):
            return
        parameters = game.parameters_of(player.name)
        turns = getattr(self, f"{player.name}_turns")
        turns += 1
        lerp(self._past(player, len(parameters)), [p.detach() for p in parameters], 1 / turns)

    def _past(self, player: Player, count: int) -> list[Tensor]:
        return [getattr(self, f"{player.name}_{k}") for k in range(count)]
