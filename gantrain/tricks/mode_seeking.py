"""Mode seeking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from gantrain import shares
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.schedules import Number, Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface, RunPlan, TurnContext
from gantrain.turns import Player, Samples


class ModeSeeking(Trick):
    """The generator also pays 1 / (d(G(z₁), G(z₂)) / d(z₁, z₂)), d the mean absolute difference (Mao et al. 2019).

    Pairs are the first and the second half of the batch. Where samples have labels or codes, which the pair must share,
    the generator makes a second batch for it.

    Args:
        weight: λ, 1 in the paper.

    Raises:
        ValueError: a negative weight, a batch that cannot be halved, or a generator that takes no noise.
    """

    def __init__(self, weight: Number = 1.0) -> None:
        super().__init__()
        within(NOT_NEGATIVE, weight=weight)
        self.weight = Scheduled(weight)

    def setup(self, game: GameInterface) -> None:
        if game.noise is None:
            raise ValueError(
                f"{self.name} compares samples of two noises, but no generator takes any here: leave it out"
            )

    def check(self, plan: RunPlan) -> None:
        if plan.samples % 2:
            raise ValueError(f"mode_seeking pairs samples, and {plan.samples} is odd: set an even trainer.batch_size")

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        if not player.is_generator:
            return {}
        batch, noise = context.batch, shares.gathered(context.batch.latent["noise"])
        others: Mapping[str, Samples] = {}
        if context.game.labelled:
            others = context.game.generate(replace(batch, latent={**batch.latent, "noise": shares.own(noise.flip(0))}))
        ratios: dict[int, Tensor] = {}  # samples that several discriminators judge count once
        for name, made in context.fakes.items():
            if id(made) not in ratios and others:
                apart = shares.mean(_apart(made.x, others[name].x))
                ratios[id(made)] = apart / _apart(noise, noise.flip(0))
            elif id(made) not in ratios:
                ratios[id(made)] = _apart(*shares.gathered(made.x).chunk(2)) / _apart(*noise.chunk(2))
        costs = [self.weight.now / (ratio + 1e-5) for ratio in ratios.values()]  # 1e-5 as in the reference code
        return {"mode_seeking": torch.stack(costs).mean()}


def _apart(first: Tensor, second: Tensor) -> Tensor:
    return (first.float() - second.float()).abs().mean()
