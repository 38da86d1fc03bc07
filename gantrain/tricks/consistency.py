"""Consistency regularisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from gantrain import shares
from gantrain.data.augment import Augment
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.schedules import Number, Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import RunPlan, TurnContext
from gantrain.turns import Player, Scores


class Consistency(Trick):
    """D also pays λ·E[(D(x) - D(T(x)))²]: its logit should not depend on the augmentation T (Zhang et al. 2020).

    Args:
        weight: λ for real samples, 10 in the paper.
        fake_weight: λ for fakes; 0 in the paper, 10 in balanced consistency regularisation (Zhao et al. 2020b).
        augment: `shift_flip` images by up to `shift` pixels (the paper's best), or add Gaussian `noise`.
        shift: pixels; 4 in the paper for 32x32.
        std: of the noise.

    Raises:
        ValueError: negative settings, or pictures are to be shifted where there are none.
    """

    def __init__(
        self,
        weight: Number = 10.0,
        fake_weight: Number = 0.0,
        augment: Literal["shift_flip", "noise"] = "shift_flip",
        shift: int = 4,
        std: float = 0.05,
    ) -> None:
        super().__init__()
        within(NOT_NEGATIVE, weight=weight, fake_weight=fake_weight, shift=shift, std=std)
        self.weight, self.fake_weight, self.shift, self.std = Scheduled(weight), Scheduled(fake_weight), shift, std
        self.kind = augment  # `augment` is a hook
        self.move = Augment(flip=True, crop=shift)

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "augment":
            return "shift_flip" if len(shape) == 3 else "noise"
        return super().auto(key, shape, per_sample)

    def check(self, plan: RunPlan) -> None:
        if self.kind == "shift_flip" and (len(plan.shape) != 3 or self.shift >= min(plan.shape[1:])):
            raise ValueError("consistency can shift only pictures, by less than their side: set augment=noise")

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        if not player.is_discriminator:
            return {}
        comparison = context.comparisons[player.name]
        wanted = [(comparison.real, self.weight), (comparison.fake, self.fake_weight)]
        parts = [
            weight.now * self._change(context, player, scores)
            for scores, weight in wanted
            if scores is not None and weight.setting != 0
        ]
        return {"consistency": torch.stack(parts).sum()} if parts else {}

    def _change(self, context: TurnContext, player: Player, scores: Scores) -> Tensor:
        again = context.game.score(player.name, scores.samples.map_pictures(self._moved), context.batch)
        return (scores.logits.float() - again.logits.float()).square().mean()

    def _moved(self, x: Tensor) -> Tensor:
        x = x.detach()
        return self.move(x) if self.kind == "shift_flip" else x + self.std * shares.randn_like(x)
