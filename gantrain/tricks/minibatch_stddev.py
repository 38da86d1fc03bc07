"""Minibatch standard deviation: the cheap cousin of minibatch discrimination."""

from __future__ import annotations

from torch import nn

from gantrain.networks.layers import StddevLayer
from gantrain.ranges import within
from gantrain.tricks.base import Trick
from gantrain.tricks.inserting import insert_before, named_layer
from gantrain.tricks.interface import GameInterface, RunPlan
from gantrain.tricks.minibatch_discrimination import check_groups


class MinibatchStddev(Trick):
    """Shows each discriminator how much the samples of a group differ (Karras et al. 2017, section 3).

    Args:
        group_size: 4 in the reference code; null for the whole batch.
        layer: the linear or convolution layer that sees it, as `debug=dry` lists it; default: the last.

    Raises:
        ValueError: a group is no group, or there is no such layer.
    """

    def __init__(self, group_size: int | None = 4, layer: str = "head") -> None:
        super().__init__()
        within("[2, inf)", group_size=group_size)
        self.group_size, self.layer = group_size, layer

    def setup(self, game: GameInterface) -> None:
        inserted: dict[nn.Module, nn.Module] = {}
        for name in game.discriminators:
            network = game.get_submodule(name)
            old = named_layer(network, self.layer, (nn.Linear, nn.Conv2d), "minibatch_stddev")
            inside = old.in_features if isinstance(old, nn.Linear) else old.in_channels
            insert_before(network, self.layer, StddevLayer(self.group_size), inside, 1, inserted)

    def check(self, plan: RunPlan) -> None:
        check_groups("minibatch_stddev", plan, self.group_size)
