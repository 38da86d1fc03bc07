"""LeCam regularisation."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain import shares
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.schedules import Number, Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface, TurnContext
from gantrain.turns import Player


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

    def __init__(self, weight: Number = 0.3, decay: float = 0.99, start: int = 1000) -> None:
        super().__init__()
        within(NOT_NEGATIVE, weight=weight, start=start)
        within("[0, 1)", decay=decay)
        self.weight, self.decay, self.start = Scheduled(weight), decay, start
        self.discriminators: tuple[str, ...] = ()

    def setup(self, game: GameInterface) -> None:
        self.discriminators = game.discriminators
        for player in game.discriminators:
            self.register_buffer(f"turns_{player}", torch.zeros(()))
            for kind in ("real", "fake"):
                for name in ("", "_sum", "_count"):
                    self.register_buffer(f"{kind}_{player}{name}", torch.zeros(()))

    def _load_from_state_dict(self, state_dict: MutableMapping[str, Any], prefix: str, *rest: Any) -> None:
        for player in self.discriminators:  # checkpoints of older runs did not count turns
            if f"{prefix}real_{player}" in state_dict:
                state_dict.setdefault(f"{prefix}turns_{player}", torch.ones(()))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        if not player.is_discriminator:
            return {}
        comparison = context.comparisons[player.name]
        assert comparison.real is not None
        real, fake = comparison.real.logits.float(), comparison.fake.logits.float()
        real_mean, fake_mean = (self._note(player.name, kind, x) for kind, x in (("real", real), ("fake", fake)))
        counts = (context.batch.step >= self.start).float()
        value = F.relu(real - fake_mean).square().mean() + F.relu(real_mean - fake).square().mean()
        return {"lecam": self.weight.now * counts * value}

    @torch.no_grad()
    def after_update(self, player: Player, game: GameInterface, samples: int) -> None:
        if not player.is_discriminator:
            return
        for kind in ("real", "fake"):
            average, total, count = self._held(f"{kind}_{player.name}")
            average.lerp_(total / count, 1 - self.decay)
            total.zero_()
            count.zero_()
        getattr(self, f"turns_{player.name}").add_(1)

    @torch.no_grad()
    def _note(self, player: str, kind: str, logits: Tensor) -> Tensor:
        """The average as it was before this turn, whose logits, of every part of the batch, join it afterwards.

        In the first turn it is the mean of the turn's own logits.
        """
        logits = shares.gathered(logits)
        average, total, count = self._held(f"{kind}_{player}")
        first = (getattr(self, f"turns_{player}") == 0) & (count == 0)
        average.copy_(torch.where(first, logits.mean(), average))
        total.add_(logits.sum())
        count.add_(logits.numel())
        return average.clone()

    def _held(self, key: str) -> tuple[Tensor, Tensor, Tensor]:
        return getattr(self, key), getattr(self, f"{key}_sum"), getattr(self, f"{key}_count")
