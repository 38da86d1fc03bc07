"""Auxiliary classifier GAN (Odena, Olah & Shlens 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.games.conditional import Conditional
from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.conditional import ConditionalGenerator, Conditioning
from gantrain.networks.heads import MultiHeadDiscriminator
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks import Trick, TurnContext
from gantrain.turns import Batch, Samples, Scores


class AuxiliaryClassifier(Conditional):
    """D is not told the label but names it, for real and for fake samples; G makes samples that are named right.

    L_C = E[-log P(C = c | x_real)] + E[-log P(C = c | x_fake)] is what both minimise beside their part of the game, D
    both of its terms and G the second (equation 3).

    Args:
        weight: of L_C.

    Raises:
        ValueError: as `Conditional`; a negative weight.
    """

    conditions = ()
    only_adversarial = False
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
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        within(NOT_NEGATIVE, weight=weight)
        self.weight = weight
        super().__init__(generator, discriminator, noise, loss, classes, shape, conditioning, tricks=tricks)

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        conditional = partial(ConditionalGenerator, generator, classes=self.classes, conditioning=self.conditioning)
        heads = {"label": lambda features: nn.Linear(features, self.classes)}
        Standard.build_players(self, conditional, partial(MultiHeadDiscriminator, discriminator, heads))

    def discriminator_turn(self, discriminator: str, fakes: Samples, batch: Batch) -> TurnContext:
        context = super().discriminator_turn(discriminator, fakes, batch)
        comparison = context.comparisons[discriminator]
        assert comparison.real is not None
        named = self.label_loss(discriminator, comparison.real) + self.label_loss(discriminator, comparison.fake)
        return replace(context, terms={**context.terms, "classification": self.weight * named})

    def generator_turn(self, generator: str, fakes: Mapping[str, Samples], batch: Batch) -> TurnContext:
        context = super().generator_turn(generator, fakes, batch)
        (discriminator,) = self.discriminators
        named = self.label_loss(discriminator, context.comparisons[discriminator].fake)
        return replace(context, terms={**context.terms, "classification": self.weight * named})

    def label_loss(self, discriminator: str, scores: Scores) -> Tensor:
        """The mean of -log P(C = c | x)."""
        head = self.get_submodule(f"{discriminator}.heads.label")
        return F.cross_entropy(head(scores.features).float(), scores.samples.conditions["label"])

    def classify(self, x: Tensor) -> Tensor:
        network = self.network("discriminator")
        assert isinstance(network, MultiHeadDiscriminator)
        return network.heads["label"](network.features(x))
