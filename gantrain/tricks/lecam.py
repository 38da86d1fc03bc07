"""LeCam regularisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks.base import Context, Trick, is_discriminator

if TYPE_CHECKING:
    from gantrain.games.base import Game


class LeCam(Trick):
    """D also pays E[relu(D(x) - α_F)²] + E[relu(α_R - D(G(z)))²] (Tseng et al. 2021, equation 3).

    α_R and α_F are moving averages of D's logits for real and for fake samples over its turns before this one. As in
    the reference code only logits on the far side of the other kind's average cost anything; the equation has no relu.

    Args:
        weight: λ; 0.3 in the paper for CIFAR.
        decay: of the moving averages, per turn of D.
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
        value = F.relu(real - fake_mean).square().mean() + F.relu(real_mean - fake).square().mean()
        return {"lecam": self.weight * counts * value}

    @torch.no_grad()
    def after_update(self, player: str, game: Game, samples: int) -> None:
        for key in (f"real_{player}", f"fake_{player}"):
            if hasattr(self, key):
                total, count = getattr(self, f"{key}_sum"), getattr(self, f"{key}_count")
                getattr(self, key).lerp_(total / count, 1 - self.decay)
                total.zero_()
                count.zero_()

    @torch.no_grad()
    def _average(self, key: str, logits: Tensor) -> Tensor:
        """The average as it was before this turn, whose logits, of every part of the batch, join it afterwards."""
        if not hasattr(self, key):
            self.register_buffer(key, logits.detach().mean())
            for name in ("sum", "count"):
                self.register_buffer(f"{key}_{name}", torch.zeros((), device=logits.device))
        getattr(self, f"{key}_sum").add_(logits.detach().sum())
        getattr(self, f"{key}_count").add_(logits.numel())
        return getattr(self, key).clone()
