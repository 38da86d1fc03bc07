"""Consistency regularisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from gantrain.data.augment import Augment
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks.base import Context, Judged, Plan, Trick, is_discriminator


class Consistency(Trick):
    """D also pays λ·E[(D(x) - D(T(x)))²]: its verdict should not depend on the augmentation T (Zhang et al. 2020).

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
        weight: float = 10.0,
        fake_weight: float = 0.0,
        augment: Literal["shift_flip", "noise"] = "shift_flip",
        shift: int = 4,
        std: float = 0.05,
    ) -> None:
        super().__init__()
        within(NOT_NEGATIVE, weight=weight, fake_weight=fake_weight, shift=shift, std=std)
        self.weight, self.fake_weight, self.augment, self.shift, self.std = weight, fake_weight, augment, shift, std
        self.move = Augment(flip=True, crop=shift)

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "augment":
            return "shift_flip" if len(shape) == 3 else "noise"
        return super().auto(key, shape, per_sample)

    def check(self, plan: Plan) -> None:
        if self.augment == "shift_flip" and (len(plan.shape) != 3 or self.shift >= plan.shape[1]):
            raise ValueError("consistency can shift only pictures, by less than their side: set augment=noise")

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        if not is_discriminator(player):
            return {}
        duel = context.duels[player]
        wanted = [(duel.real, self.weight), (duel.fake, self.fake_weight)]
        parts = [
            weight * self._change(context, player, judged) for judged, weight in wanted if judged is not None and weight
        ]
        return {"consistency": torch.stack(parts).sum()} if parts else {}

    def _change(self, context: Context, player: str, judged: Judged) -> Tensor:
        x = judged.shown.samples.detach()
        augmented = self.move(x) if self.augment == "shift_flip" else x + self.std * torch.randn_like(x)
        again = context.game.judge(player, replace(judged.shown, samples=augmented))
        return (judged.logits.float() - again.logits.float()).square().mean()
