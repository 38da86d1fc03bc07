"""Auxiliary classifier GAN (Odena, Olah & Shlens 2017)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.games.base import Batch
from gantrain.games.conditional import Conditional
from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.conditional import ConditionalGenerator, Conditioning, ManyHeaded
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks.base import Context, Judged, Shown, Trick


class AuxiliaryClassifier(Conditional):
    """D is not told the label but names it, for real and for fake samples; G makes samples that are named right.

    L_C = E[-log P(C = c | x_real)] + E[-log P(C = c | x_fake)] is what both minimise beside their part of the game, D
    both of its terms and G the second (equation 3).

    Args:
        weight: of L_C.

    Raises:
        ValueError: as `Conditional`; a negative weight.
    """

    told = ()
    classifies = True

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        classes: int | None,
        shape: list[int],
        conditioning: Conditioning = "concat",
        weight: float = 1.0,
        tricks: dict[str, Trick] | None = None,
    ) -> None:
        within(NOT_NEGATIVE, weight=weight)
        self.weight = weight
        super().__init__(generator, discriminator, noise, loss, classes, shape, conditioning, tricks=tricks)

    def seat(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        conditional = partial(ConditionalGenerator, generator, classes=self.classes, conditioning=self.conditioning)
        heads = {"label": lambda features: nn.Linear(features, self.classes)}
        Standard.seat(self, conditional, partial(ManyHeaded, discriminator, heads))

    def contest(self, discriminator: str, made: Shown, batch: Batch) -> Context:
        context = super().contest(discriminator, made, batch)
        duel = context.duels[discriminator]
        assert duel.real is not None
        named = self.naming(discriminator, duel.real) + self.naming(discriminator, duel.fake)
        return replace(context, terms={**context.terms, "classification": self.weight * named})

    def reply(self, player: str, made: Shown, batch: Batch) -> Context:
        context = super().reply(player, made, batch)
        named = self.naming(self.discriminators[0], context.duels[self.discriminators[0]].fake)
        return replace(context, terms={**context.terms, "classification": self.weight * named})

    def naming(self, discriminator: str, judged: Judged) -> Tensor:
        """The mean of -log P(C = c | x)."""
        head = self.get_submodule(f"{discriminator}.heads.label")
        return F.cross_entropy(head(judged.features).float(), judged.shown.given["label"])

    def classify(self, x: Tensor) -> Tensor:
        judge = self.finished("discriminator")
        assert isinstance(judge, ManyHeaded)
        return judge.heads["label"](judge.features(x))
