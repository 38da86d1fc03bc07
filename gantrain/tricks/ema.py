"""Averaged networks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gantrain.networks.layers import has_spectral_norm
from gantrain.ranges import POSITIVE, within
from gantrain.schedules import Number, Scheduled
from gantrain.sharded import local, whole
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface
from gantrain.turns import Player


@dataclass(frozen=True)
class AveragedTensors:
    """What of a network is averaged, found once: walking through it would take longer than the averaging itself.

    Attributes:
        slow, fast: parameters and running statistics of the copy and of the network.
        copied: the copy's other buffers, each with the network's.
        spectral: layers whose weights are divided by their spectral norm.
    """

    slow: list[Tensor]
    fast: list[Tensor]
    copied: list[tuple[Tensor, Tensor]]
    spectral: list[nn.Module]

    @classmethod
    def of(cls, average: nn.Module, current: nn.Module, others: Iterable[AveragedTensors]) -> AveragedTensors:
        """All but what `others`, the averagings of players who share layers with this one, average already."""
        slow, fast = (
            {**dict(network.named_parameters()), **running_statistics(network)} for network in (average, current)
        )
        theirs = {id(tensor) for other in others for tensor in other.slow}
        new = dict(current.named_buffers())
        copied = [
            (buffer, new[name])
            for name, buffer in average.named_buffers()
            if name not in slow and ".parametrizations." not in f".{name}"
        ]
        spectral = [layer for layer in average.modules() if has_spectral_norm(layer)]
        own = [name for name, tensor in slow.items() if id(tensor) not in theirs]
        return cls([local(slow[name]) for name in own], [local(fast[name]) for name in own], copied, spectral)


class EMA(Trick):
    """Samples and evaluations use an exponential moving average of a player, of each generator unless others are named
    (Karras et al. 2017).

    Args:
        half_life: in images seen (Karras et al. 2019); a number or a schedule.
        ramp_up: the half-life is at most this share of the images seen so far, so that the average soon forgets the
            start (Karras et al. 2020); null for none.
        players: whose averages, by name or by role. That of a player which classifies gives the
            classes in evaluations, as Salimans et al. 2016 have it.

    The running statistics of batch norm are averaged too. A spectrally normalised layer goes on with power iterations
    of its own, one for each update, so that its norm is that of the averaged weight. All other buffers are copied.

    Raises:
        ValueError: `half_life` or `ramp_up` is not positive.
    """

    images: Tensor

    def __init__(
        self, half_life: Number = 50_000, ramp_up: float | None = 0.05, players: list[str] | None = None
    ) -> None:
        super().__init__()
        within(POSITIVE, half_life=half_life, ramp_up=ramp_up)
        self.half_life, self.ramp_up = Scheduled(half_life), ramp_up
        self.players = ["generator"] if players is None else players
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))
        self._averaging: dict[str, AveragedTensors] = {}

    def setup(self, game: GameInterface) -> None:
        game.averaged.update(player.name for player in game.players if self.concerns(player))

    @torch.no_grad()
    def after_update(self, player: Player, game: GameInterface, samples: int) -> None:
        if player.name not in game.averages:
            return
        if player.name == next(iter(game.averages)):
            self.images += samples
        images = self.images.float()
        half_life = torch.ones_like(images) * self.half_life.now
        if self.ramp_up is not None:
            half_life = torch.minimum(half_life, images * self.ramp_up)
        weight = -torch.expm1(-math.log(2) * samples / half_life)  # of the newest parameters
        if player.name not in self._averaging:
            networks = game.averages[player.name], game.get_submodule(player.name)
            self._averaging[player.name] = AveragedTensors.of(*networks, self._averaging.values())
        held = self._averaging[player.name]
        lerp(held.slow, held.fast, weight)
        for buffer, new in held.copied:
            buffer.copy_(new)
        for layer in held.spectral:
            chain = layer.get_submodule("parametrizations.weight")
            made = whole(chain.get_parameter("original"))
            for part in chain.children():  # in training mode each call is a step of the power iteration
                made = part(made)


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
