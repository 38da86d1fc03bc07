"""Games and turns small enough to be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gantrain.games import Game
from gantrain.losses import Objective
from gantrain.losses.adversarial import AdversarialLoss, NonSaturating
from gantrain.networks import Noise
from gantrain.tricks import Trick, TurnContext
from gantrain.turns import Batch, Comparison, Player, Role, Samples, Scores, TurnPlan

GENERATOR = Player("generator", Role.GENERATOR)
DISCRIMINATOR = Player("discriminator", Role.DISCRIMINATOR)


class Bare(Game):
    """A game with any modules as players, or two that do nothing, whose discriminator is any function of samples."""

    noise = Noise(1)

    def __init__(
        self,
        trick: Trick | None = None,
        logit: Callable[[Tensor], Tensor] | None = None,
        loss: AdversarialLoss | None = None,
        **players: nn.Module,
    ) -> None:
        super().__init__(Objective(loss or NonSaturating()))
        self.logit = logit
        players = players or {"generator": nn.Identity(), "discriminator": nn.Identity()}
        for name, module in players.items():
            self.add_module(name, module)
        self.generators, self.discriminators = (
            tuple(name for name in players if name.startswith(role)) for role in ("generator", "discriminator")
        )
        self.install({"trick": trick} if trick else {})

    def score(self, discriminator: str, inputs: Samples, batch: Batch) -> Scores:
        assert self.logit is not None
        logits = self.logit(inputs.x)
        return Scores(inputs, logits, logits)


def batch_of(step: int = 0, plan: TurnPlan | None = None, **latent: Tensor) -> Batch:
    return Batch({}, latent, torch.tensor(step), plan or TurnPlan())


def scored(logits: Tensor, features: Tensor | None = None) -> Scores:
    """Logits, and features, of samples that do not matter."""
    return Scores(Samples(torch.zeros(len(logits), 1)), logits, logits if features is None else features)


def context_of(
    game: Game,
    real: Scores | None = None,
    fake: Scores | None = None,
    batch: Batch | None = None,
    made: Tensor | None = None,
) -> TurnContext:
    """A turn in which the only discriminator made this of real and fake samples."""
    comparisons = {} if fake is None else {"discriminator": Comparison(fake, real)}
    fakes = {"discriminator": Samples(torch.zeros(1, 1) if made is None else made)}
    return TurnContext(game, batch or batch_of(), fakes, comparisons, {})


def begun(game: Game) -> Game:
    """The game whose tricks have made what they keep, for those that need no data."""
    game.tricks.begin(game, lambda n, position=0: batch_of())
    return game
