"""Minibatch standard deviation: the cheap cousin of minibatch discrimination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gantrain.ranges import within
from gantrain.tricks.base import Plan, Trick
from gantrain.tricks.inserting import insert_before, named_layer
from gantrain.tricks.minibatch_discrimination import check_groups

if TYPE_CHECKING:
    from gantrain.games.base import Game


class StddevLayer(nn.Module):
    """Features (N, F, …) to (N, F + 1, …): the standard deviation over a group, averaged over everything else.

    As in the reference code of Karras et al. 2017: biased, with 1e-8 under the root, over interleaved groups.
    """

    samples_meet = True

    def __init__(self, group_size: int | None) -> None:
        super().__init__()
        self.group_size = group_size

    def forward(self, x: Tensor) -> Tensor:
        size = self.group_size or len(x)
        groups = x.float().unflatten(0, (size, -1))
        spread = (groups.var(0, correction=0) + 1e-8).sqrt().flatten(1).mean(1)  # one number per group
        channel = spread.repeat(size).to(x.dtype).view(-1, *[1] * (x.dim() - 1)).expand_as(x[:, :1])
        return torch.cat([x, channel], 1)


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

    def setup(self, game: Game) -> None:
        for name in game.discriminators:
            judge = game.get_submodule(name)
            old = named_layer(judge, self.layer, (nn.Linear, nn.Conv2d), "minibatch_stddev")
            inside = old.in_features if isinstance(old, nn.Linear) else old.in_channels
            insert_before(judge, self.layer, StddevLayer(self.group_size), inside, 1)

    def check(self, plan: Plan) -> None:
        check_groups("minibatch_stddev", plan, self.group_size)
