"""Virtual and reference batch norm: statistics from a batch that is chosen once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gantrain.networks.conditional import LabelConditioned
from gantrain.ranges import within
from gantrain.tricks.base import Plan, Trick, is_discriminator

if TYPE_CHECKING:
    from gantrain.games.base import Draw, Game


class ReferenceNorm(nn.Module):
    """Normalises by the statistics of a reference batch, and of the sample itself where `with_sample`.

    With R reference samples, a sample counts as one of R + 1 (Salimans et al. 2016, section 3.5, and its reference
    code). The reference batch itself, passed while `noting`, is normalised by its own statistics.
    """

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm, with_sample: bool) -> None:
        super().__init__()
        self.weight, self.bias, self.eps, self.with_sample = norm.weight, norm.bias, norm.eps, with_sample
        self.noting = False
        self.noted: tuple[Tensor, Tensor, int] | None = None

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1, *[1] * (x.dim() - 2))
        values = x.float()
        places = [0, *range(2, x.dim())]
        if self.noting:
            mean, square = values.mean(places), values.square().mean(places)
            self.noted = (mean, square, len(x))
            mean, square = mean.view(shape), square.view(shape)
        else:
            assert self.noted is not None, "the reference batch passes first"
            mean, square, count = (self.noted[0].view(shape), self.noted[1].view(shape), self.noted[2])
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
    used, because its statistics move with the weights.

    Args:
        players: whose; the paper does it for the generator only, because it doubles the forwards.
        size: samples in the reference batch.
        with_sample: count the sample to the reference batch; without, this is reference batch norm.

    Raises:
        ValueError: `size` below 2.
    """

    players: Sequence[str]

    def __init__(self, players: list[str] | None = None, size: int = 64, with_sample: bool = True) -> None:
        super().__init__()
        within("[2, 65536]", size=size)
        self.players = ["generator"] if players is None else players
        self.size, self.with_sample = size, with_sample

    def setup(self, game: Game) -> None:
        self.players = [seat for seat in game.seats() if self.concerns(seat)]
        for player in self.players:
            if player not in (*game.generators, *game.discriminators):
                raise ValueError(
                    f"{self.name} works on generators and discriminators: leave {player} out of its players"
                )
            network = game.get_submodule(player)
            every = network.named_modules(remove_duplicate=False)  # a shared layer notes for each who shares it
            norms = {name: m for name, m in every if isinstance(m, nn.modules.batchnorm._BatchNorm)}
            if not norms:
                raise ValueError(
                    f"{self.name} takes the place of batch norm, which {player} has not: set "
                    f"model.{player.partition('_')[0]}.norm=batch, or leave {player} out of tricks.{self.name}.players"
                )
            if player in game.discriminators and any(
                isinstance(m, LabelConditioned) for m in entrance(network).modules()
            ):
                raise ValueError(
                    f"{self.name} passes its own samples through the discriminator, whose layers know the labels of "
                    f"others: set another model.conditioning, or leave {player} out of tricks.{self.name}.players"
                )
            for name, norm in norms.items():
                network.set_submodule(name, ReferenceNorm(norm, self.with_sample))
            self._attend(entrance(network), f"reference_{player}")

    def check(self, plan: Plan) -> None:
        packed = plan.samples // max(plan.judged, 1)
        if self.size % packed and any(is_discriminator(player) for player in self.players):
            raise ValueError(f"{self.name}.size={self.size} is not whole packs of {packed}: set a multiple of {packed}")

    def begin(self, game: Game, draw: Draw) -> None:
        batch = draw(self.size)
        for player in self.players:
            if player in game.generators:
                self._note(game, player, lambda: game.generate(batch.latent))
            else:
                self._note(game, player, lambda player=player: game.judge(player, game.show(game.real(batch), batch)))  # type: ignore[misc]

    def _note(self, game: Game, player: str, call: Callable[[], Any]) -> None:
        """Keeps what the player's network is called with."""
        network, key = entrance(game.get_submodule(player)), f"reference_{player}"

        def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            if not hasattr(self, f"{key}_0"):
                for place, x in enumerate(given):
                    self.register_buffer(f"{key}_{place}", x.detach().clone())

        with torch.no_grad():
            handle = network.register_forward_pre_hook(note, prepend=True)
            call()
            handle.remove()

    def _attend(self, network: nn.Module, key: str) -> None:
        """Passes the reference batch before everything that passes through the network, or through a copy of it."""

        def before(network: nn.Module, given: tuple[Tensor, ...]) -> None:
            held = [f"{key}_{place}" for place in range(len(given))]
            norms = [m for m in network.modules() if isinstance(m, ReferenceNorm)]
            for norm in norms:
                norm.noting = True
            network.forward(*(getattr(self, name) for name in held))
            for norm in norms:
                norm.noting = False

        def after(network: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> None:
            for norm in network.modules():
                if isinstance(norm, ReferenceNorm):
                    norm.noted = None  # it holds a graph that ends with this pass

        network.register_forward_pre_hook(before)
        network.register_forward_hook(after)


def entrance(network: nn.Module) -> nn.Module:
    """What samples or noise pass through as a whole: a discriminator's trunk, or the network itself."""
    return getattr(network, "trunk", network)
