"""One-sided label smoothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gantrain.losses import TargetLoss
from gantrain.tricks.base import Seen, Trick

if TYPE_CHECKING:
    from gantrain.games.base import Game


class LabelSmoothing(Trick):
    """The discriminator's target for real samples is `real`; the fake target stays (Salimans et al. 2016, section 3.4).

    Smoothing the fake target too would reward the generator for samples that the discriminator already knows.
    """

    def __init__(self, real: float = 0.9) -> None:
        super().__init__()
        self.real = real

    def setup(self, game: Game) -> None:
        if not isinstance(game.loss.adversarial, TargetLoss):
            raise ValueError(
                f"label_smoothing needs a loss with targets, which {type(game.loss.adversarial).__name__} is not: "
                "use loss=nonsaturating, minimax, lsgan or r1, or leave the trick out"
            )

    def targets(self, player: str, seen: Seen) -> Seen:
        return replace(seen, real_target=self.real) if player.startswith("discriminator") else seen
