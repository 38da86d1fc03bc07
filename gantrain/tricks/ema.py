"""Averaged networks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gantrain.ranges import POSITIVE, within
from gantrain.tricks.base import Trick

if TYPE_CHECKING:
    from gantrain.games.base import Game


class EMA(Trick):
    """Samples and evaluations use an exponential moving average of a player, of each generator unless others are named
    (Karras et al. 2017).

    Args:
        half_life: in images seen (Karras et al. 2019).
        ramp_up: the half-life is at most this share of the images seen so far, so that the average soon forgets the
            start (Karras et al. 2020); null for none.
        players: whose averages, by name or by what names begin with. That of a player which classifies gives the
            classes in evaluations, as Salimans et al. 2016 have it.

    The running statistics of batch norm are averaged too. A spectrally normalised layer goes on with power iterations
    of its own, one for each update, so that its norm is that of the averaged weight. All other buffers are copied.

    Raises:
        ValueError: `half_life` or `ramp_up` is not positive.
    """

    images: Tensor

    def __init__(
        self, half_life: float = 50_000, ramp_up: float | None = 0.05, players: list[str] | None = None
    ) -> None:
        super().__init__()
        within(POSITIVE, half_life=half_life, ramp_up=ramp_up)
        self.half_life, self.ramp_up = half_life, ramp_up
        self.players = ["generator"] if players is None else players
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))

    def setup(self, game: Game) -> None:
        game.averaged.update(name for name in game.seats() if self.concerns(name))

    @torch.no_grad()
    def after_update(self, player: str, game: Game, samples: int) -> None:
        if player not in game.averages:
            return
        if player == next(iter(game.averages)):
            self.images += samples
        images = self.images.float()
        half_life = torch.full_like(images, self.half_life)
        if self.ramp_up is not None:
            half_life = torch.minimum(half_life, images * self.ramp_up)
        weight = -torch.expm1(-math.log(2) * samples / half_life)  # of the newest parameters
        average, current = game.averages[player], game.get_submodule(player)
        slow, fast = (
            {**dict(network.named_parameters()), **running_statistics(network)} for network in (average, current)
        )
        lerp(list(slow.values()), [fast[name] for name in slow], weight)
        new = dict(current.named_buffers())
        for name, buffer in average.named_buffers():
            if name not in slow and ".parametrizations." not in f".{name}":
                buffer.copy_(new[name])
        for layer in average.modules():
            if parametrize.is_parametrized(layer, "weight"):
                _ = layer.weight  # each look in training mode is a step of the power iteration


def running_statistics(network: nn.Module) -> dict[str, Tensor]:
    """The running means and variances of every batch norm, by name."""
    norms = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    held = {f"{name}.{key}": getattr(m, key) for name, m in norms for key in ("running_mean", "running_var")}
    return {name: values for name, values in held.items() if values is not None}


def lerp(slow: list[Tensor], fast: list[Tensor], weight: Tensor) -> None:
    """slow += weight · (fast - slow), with a weight that stays on the device."""
    change = torch._foreach_sub(fast, slow)
    torch._foreach_mul_(change, weight)
    torch._foreach_add_(slow, change)
