"""Feature matching."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantrain.ranges import POSITIVE, within
from gantrain.tricks.base import Context, Plan, Trick, is_generator


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

    def __init__(self, weight: float = 1.0, adversarial: bool = False) -> None:
        super().__init__()
        within(POSITIVE, weight=weight)
        self.weight, self.adversarial = weight, adversarial
        self.replaces = self.drops = () if adversarial else ("generator/adversarial",)

    def check(self, plan: Plan) -> None:
        plan.needs_whole_batch(f"{self.name} compares means of the whole batch")

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        if not is_generator(player):
            return {}
        distances = []
        for duel in context.duels.values():
            assert duel.real is not None
            real, fake = (judged.features.float().flatten(1).mean(0) for judged in (duel.real, duel.fake))
            distances.append((real.detach() - fake).square().sum())
        term = self.weight * torch.stack(distances).mean()
        return {"feature_matching": term, **({} if self.adversarial else {"adversarial": torch.zeros_like(term)})}
