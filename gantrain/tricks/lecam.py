"""LeCam regularisation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks.base import Context, Trick, is_discriminator


class LeCam(Trick):
    """D also pays E[(D(x) - α_F)²] + E[(D(G(z)) - α_R)²] (Tseng et al. 2021, equation 3).

    α_R and α_F are moving averages of D's logits for real and for fake samples.

    Args:
        weight: λ; 0.3 in the paper for CIFAR.
        decay: of the moving averages, per batch that D judges.
        start: steps before the term counts, until the averages are settled; 1,000 in the reference code.

    Raises:
        ValueError: a negative weight or start, or a decay outside [0, 1).
    """

    def __init__(self, weight: float = 0.3, decay: float = 0.99, start: int = 1000) -> None:
        super().__init__()
        within(NOT_NEGATIVE, weight=weight, start=start)
        within("[0, 1)", decay=decay)
        self.weight, self.decay, self.start = weight, decay, start

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        if not is_discriminator(player):
            return {}
        duel = context.duels[player]
        assert duel.real is not None
        real, fake = duel.real.logits.float(), duel.fake.logits.float()
        real_mean, fake_mean = self._average(f"real_{player}", real), self._average(f"fake_{player}", fake)
        counts = (context.batch.step >= self.start).float()
        value = (real - fake_mean).square().mean() + (fake - real_mean).square().mean()
        return {"lecam": self.weight * counts * value}

    @torch.no_grad()
    def _average(self, key: str, logits: Tensor) -> Tensor:
        """The average as it was before these logits, which then join it."""
        now = logits.detach().mean()
        if not hasattr(self, key):
            self.register_buffer(key, now.clone())
        average = getattr(self, key)
        before = average.clone()
        average.lerp_(now, 1 - self.decay)
        return before
