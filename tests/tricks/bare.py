"""Games and turns small enough to be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import torch
from torch import Tensor, nn

from gantrain.games import Batch, Game
from gantrain.losses import Objective
from gantrain.losses.adversarial import AdversarialLoss, NonSaturating
from gantrain.tricks import Context, Duel, Judged, Shown, Trick
from gantrain.tricks.base import is_discriminator


class Bare(Game):
    """A game with any modules as players, whose discriminator is any function of samples."""

    def __init__(
        self,
        trick: Trick | None = None,
        verdict: Callable[[Tensor], Tensor] | None = None,
        loss: AdversarialLoss | None = None,
        **players: nn.Module,
    ) -> None:
        super().__init__(Objective(loss or NonSaturating()))
        self.verdict = verdict
        for name, module in players.items():
            self.add_module(name, module)
        self.discriminators = tuple(name for name in players if is_discriminator(name)) or self.discriminators
        self.install({"trick": trick} if trick else {})

    def judge(self, discriminator: str, shown: Shown) -> Judged:
        assert self.verdict is not None
        logits = self.verdict(shown.samples)
        return Judged(shown, logits, logits)


def batch_of(step: int = 0, phase: Mapping[str, Hashable] | None = None, **latent: Tensor) -> Batch:
    return Batch({}, latent, torch.tensor(step), phase or {})


def judged(logits: Tensor, features: Tensor | None = None) -> Judged:
    """Logits, and features, of samples that do not matter."""
    return Judged(Shown(torch.zeros(len(logits), 1)), logits, logits if features is None else features)


def context_of(
    game: Game,
    real: Judged | None = None,
    fake: Judged | None = None,
    batch: Batch | None = None,
    made: Tensor | None = None,
) -> Context:
    """A turn in which the only discriminator made this of real and fake samples."""
    duels = {} if fake is None else {"discriminator": Duel(fake, real)}
    return Context(game, batch or batch_of(), Shown(torch.zeros(1, 1) if made is None else made), duels, {})
