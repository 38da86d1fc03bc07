"""Orthogonal regularisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gantrain.networks.layers import has_spectral_norm
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.schedules import Number, Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import TurnContext
from gantrain.turns import Player


class Orthogonal(Trick):
    """Filters of a layer should not resemble each other: β·‖WWᵀ ⊙ (1 - I)‖²_F (Brock et al. 2018, equation 3).

    The rows of W are the layer's filters; their lengths are left free.

    Args:
        weight: β, 1e-4 in the paper.
        players: whose layers; the paper's generator by default.

    Raises:
        ValueError: a negative weight.
    """

    def __init__(self, weight: Number = 1e-4, players: list[str] | None = None) -> None:
        super().__init__()
        within(NOT_NEGATIVE, weight=weight)
        self.weight, self.players = Scheduled(weight), ["generator"] if players is None else players

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        if not self.concerns(player):
            return {}
        own = {id(p) for p in context.game.parameters_of(player.name)}
        found = [filters_of(module, own) for module in context.game.modules()]
        energies = [off_diagonal_energy(filters) for filters in found if filters is not None]
        return {"orthogonal": self.weight.now * torch.stack(energies).sum()}


def filters_of(module: nn.Module, own: set[int]) -> Tensor | None:
    """A layer's weight as (filters, entries), where it is among the parameters `own`."""
    if not isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)):
        return None
    if not any(id(p) in own for p in module.parameters()):
        return None
    # spectral norm only scales the weight; of other norms it is the weight that they make
    weight = module.parametrizations.weight.original if has_spectral_norm(module) else module.weight  # type: ignore[union-attr]
    assert isinstance(weight, Tensor)
    turned = isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d))
    return (weight.transpose(0, 1) if turned else weight).flatten(1)


def off_diagonal_energy(filters: Tensor) -> Tensor:
    """‖WWᵀ ⊙ (1 - I)‖²_F for W (filters, entries), by whichever Gram matrix is smaller: ‖WWᵀ‖_F = ‖WᵀW‖_F."""
    with torch.autocast(filters.device.type, enabled=False):  # a difference of large sums
        w = filters.float()
        gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
        return gram.square().sum() - w.square().sum(1).square().sum()
