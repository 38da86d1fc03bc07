"""Label flipping."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gantrain import shares
from gantrain.ranges import within
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface
from gantrain.tricks.label_smoothing import loss_with_targets
from gantrain.turns import Batch, LossInputs, Player


class LabelFlipping(Trick):
    """Tells the discriminator the wrong label for a share of its samples (Chintala et al. 2016, ganhacks, 6).

    Args:
        share: the probability, for each sample by itself, that real is called fake or fake is called real.

    Raises:
        ValueError: `share` is no probability below ½, from which on labels would say the opposite.
    """

    def __init__(self, share: float = 0.05) -> None:
        super().__init__()
        within("[0, 0.5)", share=share)
        self.share = share

    def setup(self, game: GameInterface) -> None:
        loss = loss_with_targets(game, "label_flipping")
        self.real_label, self.fake_label = loss.real_label, loss.fake_label

    def targets(self, player: Player, inputs: LossInputs, batch: Batch) -> LossInputs:
        if not player.is_discriminator or inputs.real is None:
            return inputs
        real_target = self._flip(inputs.real, inputs.real_target, self.real_label, self.fake_label)
        fake_target = self._flip(inputs.fake, inputs.fake_target, self.fake_label, self.real_label)
        return replace(inputs, real_target=real_target, fake_target=fake_target)

    def _flip(self, logits: Tensor, target: float | Tensor | None, own: float, other: float) -> Tensor:
        target = own if target is None else target
        sample = shares.rand(len(logits), *[1] * (logits.dim() - 1), device=logits.device)
        flipped = (sample < self.share).expand_as(logits)
        return torch.where(flipped, other, torch.zeros_like(logits, dtype=torch.float32) + target)
