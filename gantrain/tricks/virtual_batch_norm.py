"""Virtual and reference batch norm: statistics from a batch that is chosen once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gantrain import shares
from gantrain.networks import Discriminator
from gantrain.ranges import within
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface, RunPlan
from gantrain.turns import DrawBatch, Player


class Reference:
    """What the norms of one network share: whether the reference batch itself passes now, and its moments at each norm.

    Moments are mean, mean square and number of samples. They hold the graph of one pass, and go with it.
    """

    def __init__(self) -> None:
        self.passing = False
        self.moments: dict[str, tuple[Tensor, Tensor, int]] = {}


class ReferenceNorm(nn.Module):
    """Normalises by the statistics of a reference batch, and of the sample itself where `with_sample`.

    With R reference samples, a sample counts as one of R + 1 (Salimans et al. 2016, section 3.5, and its reference
    code). The reference batch itself is normalised by its own statistics.
    """

    def __init__(
        self, norm: nn.modules.batchnorm._BatchNorm, with_sample: bool, reference: Reference, name: str
    ) -> None:
        super().__init__()
        self.weight, self.bias, self.eps, self.with_sample = norm.weight, norm.bias, norm.eps, with_sample
        self.reference, self.name = reference, name

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1, *[1] * (x.dim() - 2))
        values = x.float()
        places = [0, *range(2, x.dim())]
        if self.reference.passing:
            mean, square = values.mean(places), values.square().mean(places)
            self.reference.moments[self.name] = (mean, square, len(x))
            mean, square = mean.view(shape), square.view(shape)
        else:
            assert self.name in self.reference.moments, "the reference batch passes first"
            mean, square, count = self.reference.moments[self.name]
            mean, square = mean.view(shape), square.view(shape)
            if self.with_sample:
                inside = places[1:]
                own_mean = values.mean(inside, keepdim=True) if inside else values
                own_square = values.square().mean(inside, keepdim=True) if inside else values.square()
                mean = (count * mean + own_mean) / (count + 1)
                square = (count * square + own_square) / (count + 1)
        normal = (values - mean) * torch.rsqrt((square - mean.square()).clamp_min(0) + self.eps)
        if self.weight is not None:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)


class VirtualBatchNorm(Trick):
    """Puts a `ReferenceNorm` in the place of every batch norm (Salimans et al. 2016, section 3.5).

    The reference batch is drawn once, before the first turn, and passes through the network again whenever that is
    used, because its statistics move with the weights. Where layers know labels, it passes with its own.

    Args:
        players: whose; the paper does it for the generator only, because it doubles the forwards.
        size: samples in the reference batch.
        with_sample: count the sample to the reference batch; without, this is reference batch norm.

    Raises:
        ValueError: `size` below 2.
    """

    players: Sequence[str]
    begins_first = True

    def __init__(self, players: list[str] | None = None, size: int = 64, with_sample: bool = True) -> None:
        super().__init__()
        within("[2, 65536]", size=size)
        self.players = ["generator"] if players is None else players
        self.size, self.with_sample = size, with_sample
        self.concerned: list[Player] = []

    def setup(self, game: GameInterface) -> None:
        if game.reconstructs:
            raise ValueError(
                f"{self.name} leaves out the encoder, which plays with the generator here: leave the trick out"
            )
        for concerned in filter(self.concerns, game.players):
            player = concerned.name
            if not (concerned.is_generator or concerned.is_discriminator):
                raise ValueError(
                    f"{self.name} works on generators and discriminators: leave {player} out of its players"
                )
            self.concerned.append(concerned)
            network = game.get_submodule(player)
            every = network.named_modules(remove_duplicate=False)  # a shared layer notes for each who shares it
            norms = {name: m for name, m in every if isinstance(m, nn.modules.batchnorm._BatchNorm)}
            if not norms:
                raise ValueError(
                    f"{self.name} takes the place of batch norm, which {player} has not: set "
                    f"model.{concerned.role.value}.norm=batch, or leave {player} out of tricks.{self.name}.players"
                )
            reference = Reference()
            for name, norm in norms.items():
                network.set_submodule(name, ReferenceNorm(norm, self.with_sample, reference, name))
            self._pass_reference(reference_input(network), reference, f"reference_{player}")

    def check(self, plan: RunPlan) -> None:
        packed = plan.samples // max(plan.packs, 1)
        if self.size % packed and any(player.is_discriminator for player in self.concerned):
            raise ValueError(f"{self.name}.size={self.size} is not whole packs of {packed}: set a multiple of {packed}")

    @torch.no_grad()
    def begin(self, game: GameInterface, draw: DrawBatch) -> None:
        batch = draw(self.size)
        generators = [player.name for player in self.concerned if player.is_generator]
        if generators:  # all at once: one call may make the fakes of each
            self._keep(game, generators, partial(game.generate, batch))
        for player in filter(lambda player: player.is_discriminator, self.concerned):
            real = game.discriminator_inputs(game.real(batch)[player.name], batch)
            self._keep(game, [player.name], partial(game.score, player.name, real, batch))

    def _keep(self, game: GameInterface, players: Sequence[str], call: Callable[[], Any]) -> None:
        """Keeps what the players' networks are called with: the reference batch, and the labels that layers know."""

        def keep(key: str, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if not hasattr(self, f"{key}_0"):
                for place, x in enumerate(inputs):
                    self.register_buffer(f"{key}_{place}", x.detach().clone())

        handles = []
        for player in players:
            network = reference_input(game.get_submodule(player))
            handles.append(network.register_forward_pre_hook(partial(keep, f"reference_{player}"), prepend=True))
        call()
        for handle in handles:
            handle.remove()

    def _pass_reference(self, network: nn.Module, reference: Reference, key: str) -> None:
        """Passes the reference batch before everything that passes through the network, or through a copy of it."""
        network.reference = reference  # type: ignore[assignment]  # found there, a copy of the network has its own

        def before(network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            held = [getattr(self, f"{key}_{place}") for place in range(len(inputs))]
            here = reference_of(network)
            here.passing = True
            with shares.share_played(None):  # it is whole on each device
                network.forward(*held)
            here.passing = False

        def after(network: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
            reference_of(network).moments.clear()

        network.register_forward_pre_hook(before)
        network.register_forward_hook(after)


def reference_of(network: nn.Module) -> Reference:
    """What the network's reference norms share."""
    reference = network.reference
    assert isinstance(reference, Reference)
    return reference


def reference_input(network: nn.Module) -> nn.Module:
    """What samples or noise pass through as a whole: a discriminator's trunk, or the network itself."""
    return network.trunk if isinstance(network, Discriminator) else network
