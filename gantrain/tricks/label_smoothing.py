"""One-sided label smoothing."""

from __future__ import annotations

from dataclasses import replace

import torch

from gantrain.losses import TargetLoss
from gantrain.ranges import within
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface
from gantrain.turns import Batch, LossInputs, Player


def loss_with_targets(game: GameInterface, name: str) -> TargetLoss:
    """The game's loss, if it compares logits with targets.

    Raises:
        ValueError: it does not.
    """
    loss = game.loss.adversarial
    if not isinstance(loss, TargetLoss):
        raise ValueError(
            f"{name} needs a loss with targets, which {type(loss).__name__} is not: "
            "use loss=nonsaturating, minimax, lsgan, dragan or r1, or leave the trick out"
        )
    return loss


class LabelSmoothing(Trick):
    """The discriminator's target for real samples is `real`; the fake target stays (Salimans et al. 2016, section 3.4).

    Smoothing the fake target too would reward the generator for samples that the discriminator already knows.
    Real samples whose label is flipped keep the flipped one.

    Raises:
        ValueError: `real` is not in (0, 1].
    """

    def __init__(self, real: float = 0.9) -> None:
        super().__init__()
        within("(0, 1]", real=real)
        self.real = real

    def setup(self, game: GameInterface) -> None:
        self.label = loss_with_targets(game, "label_smoothing").real_label

    def targets(self, player: Player, inputs: LossInputs, batch: Batch) -> LossInputs:
        if not player.is_discriminator:
            return inputs
        target = inputs.real_target
        if isinstance(target, torch.Tensor):
            return replace(inputs, real_target=torch.where(target == self.label, self.real, target))
        return replace(inputs, real_target=self.real if target in (None, self.label) else target)
