"""Feature matching."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantrain import shares
from gantrain.ranges import POSITIVE, within
from gantrain.schedules import Number, Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface, RunPlan, TurnContext
from gantrain.turns import Player


class FeatureMatching(Trick):
    """The generator minimises ‖E f(x) - E f(G(z))‖², f the features under the discriminator's head.

    Salimans et al. 2016, section 3.1. It takes the place of the generator's adversarial term.

    Args:
        weight: of the term.
        adversarial: keep the adversarial term beside it.

    Raises:
        ValueError: a weight that is not positive, or a batch played in parts, whose means are others.
    """

    needs_real = True

    def __init__(self, weight: Number = 1.0, adversarial: bool = False) -> None:
        super().__init__()
        within(POSITIVE, weight=weight)
        self.weight, self.adversarial = Scheduled(weight), adversarial
        self.replaces = self.drops = () if adversarial else ("generator/adversarial",)

    def setup(self, game: GameInterface) -> None:
        if game.reconstructs and not self.adversarial:
            raise ValueError(
                f"{self.name} leaves out the encoder, which plays with the generator here: leave the trick out"
            )

    def check(self, plan: RunPlan) -> None:
        plan.needs_whole_batch(f"{self.name} compares means of the whole batch")

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        if not player.is_generator:
            return {}
        distances = []
        for comparison in context.comparisons.values():
            assert comparison.real is not None
            both = (comparison.real, comparison.fake)
            real, fake = (shares.mean(scores.features.float().flatten(1).mean(0)) for scores in both)
            distances.append((real.detach() - fake).square().sum())
        term = self.weight.now * torch.stack(distances).mean()
        return {"feature_matching": term, **({} if self.adversarial else {"adversarial": torch.zeros_like(term)})}
