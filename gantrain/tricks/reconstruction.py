"""A discriminator that learns by itself what pictures are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain import shares
from gantrain.networks import Discriminator, Sequential
from gantrain.networks.fastgan import upsampling_block
from gantrain.networks.layers import spectrally_normalise
from gantrain.ranges import POSITIVE, WIDTH, within
from gantrain.schedules import Number, Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface, TurnContext
from gantrain.tricks.virtual_batch_norm import ReferenceNorm
from gantrain.turns import Player

LEAST_SIDE = 8
"""Pixels that the maps to decode have at least, where there are such."""
WIDTHS = (1, 2, 2, 4)
"""Channels of a decoder, from its last stage back, in units of its width."""


class Reconstruction(Trick):
    """Each discriminator also learns to bring real pictures back out of its own maps (Liu et al. 2021, section 3.2).

    One decoder makes the whole picture, at half its size, of the last maps with 8 places or more each way; another, at
    full size, one quarter of the picture, drawn for each sample, of the same quarter of maps twice as large, where
    there are such. Both are the discriminator's own layers and learn with it, on real samples as it is shown them.
    They have layer norm, so that samples do not meet in them.

    Args:
        shape: of what discriminators are shown.
        weight: of the mean error per number, one decoder's added to the other's.
        distance: `absolute` or `squared` error; the paper has the distance in the features of a pretrained network.
        width: of the decoders' last stage; 32 in the reference code.

    Raises:
        ValueError: a weight or width that is not positive, or a discriminator makes no maps of pictures.
    """

    def __init__(
        self,
        shape: list[int],
        weight: Number = 8.0,
        distance: Literal["absolute", "squared"] = "absolute",
        width: int = 32,
    ) -> None:
        super().__init__()
        within(POSITIVE, weight=weight)
        within(WIDTH, width=width)
        self.shape, self.weight, self.distance, self.width = shape, Scheduled(weight), distance, width

    def setup(self, game: GameInterface) -> None:
        for name in game.discriminators:
            network = game.get_submodule(name)
            assert isinstance(network, Discriminator)
            network.add_module(self.name, self._decoders(network, game))

    def _decoders(self, network: Discriminator, game: GameInterface) -> nn.ModuleDict:
        if any(isinstance(part, ReferenceNorm) for part in network.modules()):
            raise ValueError(f"{self.name} adds to what the reference batch passes: name it before the other trick")
        with game.evaluating(network):
            picture, maps = network.maps(torch.zeros(1, *self.shape), **network.blank_conditions(1))
        whole, part = self._chosen(picture, maps)
        doublings = max(round(math.log2(picture.shape[2] / whole.shape[2])) - 1, 0)
        sources = {"whole": whole} if part is None else {"whole": whole, "part": part}
        made = nn.ModuleDict({kind: self._decoder(source.shape[1], doublings) for kind, source in sources.items()})
        if network.spectrally_normalised:
            spectrally_normalise(made)
        return made

    def _decoder(self, inside: int, doublings: int) -> Sequential:
        """Maps (N, inside, H, W) to pictures in [-1, 1] so many doublings larger."""
        layers: list[nn.Module] = []
        for left in reversed(range(doublings)):
            outside = self.width * WIDTHS[min(left, len(WIDTHS) - 1)]
            layers += upsampling_block(inside, outside, "layer")
            inside = outside
        return Sequential(*layers, nn.Conv2d(inside, self.shape[0], 3, 1, 1), nn.Tanh())

    def _chosen(self, picture: Tensor, maps: list[Tensor]) -> tuple[Tensor, Tensor | None]:
        """The maps of the whole picture, and those of which a quarter is taken.

        Raises:
            ValueError: there are none.
        """
        smaller = [m for m in maps if picture.dim() == 4 and m.shape[2] < picture.shape[2] and min(m.shape[2:]) > 1]
        if not smaller:
            raise ValueError(
                f"{self.name} reads the maps that a discriminator makes of pictures, which this one does not: set "
                "networks@model=fastgan, dcgan or resnet, or leave the trick out"
            )
        large = [m for m in smaller if min(m.shape[2:]) >= LEAST_SIDE]
        whole = large[-1] if large else smaller[0]
        twice = [m for m in smaller if [side / 2 for side in m.shape[2:]] == [*whole.shape[2:]]]
        return whole, twice[-1] if twice else None

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        if not player.is_discriminator:
            return {}
        comparison = context.comparisons[player.name]
        assert comparison.real is not None
        samples, network = comparison.real.samples, context.game.get_submodule(player.name)
        assert isinstance(network, Discriminator)
        conditions = {name: samples.conditions[name] for name in context.game.conditions_of(player.name)}
        picture, maps = network.maps(samples.x.detach(), **conditions)
        picture = picture[:, : self.shape[0]].detach()
        whole, part = self._chosen(picture, maps)
        decoders = network.get_submodule(self.name)
        assert isinstance(decoders, nn.ModuleDict)
        error = self._error(decoders["whole"](whole), picture)
        if part is not None:
            quarter = shares.randint(0, 4, len(picture), device=picture.device)
            error = error + self._error(decoders["part"](_quarter(part, quarter)), _quarter(picture, quarter))
        return {"reconstruction": self.weight.now * error}

    def _error(self, made: Tensor, picture: Tensor) -> Tensor:
        wanted = F.interpolate(picture.float(), made.shape[2:], mode="area")
        difference = made.float() - wanted
        return difference.abs().mean() if self.distance == "absolute" else difference.square().mean()


def _quarter(x: Tensor, which: Tensor) -> Tensor:
    """Of each of the maps (N, C, H, W) the upper left, upper right, lower left or lower right quarter."""
    height, width = (side // 2 for side in x.shape[2:])
    rows = torch.where((which < 2)[:, None, None, None], x[:, :, :height], x[:, :, -height:])
    return torch.where((which % 2 == 0)[:, None, None, None], rows[..., :width], rows[..., -width:])
