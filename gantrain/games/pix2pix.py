"""Pictures out of pictures, learnt from pairs (Isola, Zhu, Zhou & Efros 2017, pix2pix)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import Tensor

from gantrain.games.adversarial import Adversarial
from gantrain.games.base import Request
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Translator
from gantrain.networks.heads import PictureConditionalDiscriminator
from gantrain.networks.translator import needs_pairs
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks import FeatureMatching, Trick, TurnContext
from gantrain.turns import Batch, LossInputs, Samples


class Pix2Pix(Adversarial):
    """G makes of a picture x what should be y; D judges pairs (x, y), G should also be near the true y.

    G minimises weight · adversarial + l1 · E|y - G(x)| (equation 4). The only noise is the dropout within G.

    Args:
        generator, discriminator: make the players; D is given the `shape` of a pair, channels beside channels.
        shape, input_shape: of y and of x, [C, H, W] each.
        l1: λ, the weight of the distance.
        weight: of the adversarial term; at 0 there is no D to play, and G learns the distance alone.
        discriminator_weight: what D's loss is multiplied by: the paper divides it by 2 (section 3.3), and so does the
            authors' later code; their first one only reports it so.
        conditional: D is shown x; without it D judges y alone, as in the paper's comparison (section 4.1).

    Raises:
        ValueError: the data has no pairs, D has no patch on pictures as small as these, or nothing is left to learn.
    """

    conditions: tuple[str, ...] = ("input",)
    given: tuple[str, ...] = ("input",)
    inputs = ("input",)
    compared = ("real",)
    labelled = True
    only_adversarial = False

    def __init__(
        self,
        generator: Callable[..., Translator],
        discriminator: Callable[..., Discriminator],
        loss: Objective,
        shape: list[int],
        input_shape: list[int] | None,
        l1: float = 100.0,
        weight: float = 1.0,
        discriminator_weight: float = 0.5,
        conditional: bool = True,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        super().__init__(loss)
        within(NOT_NEGATIVE, l1=l1, weight=weight, discriminator_weight=discriminator_weight)
        if not l1 and not weight:
            raise ValueError("model.l1=0 and model.weight=0 leave nothing to learn: set one of them")
        given = needs_pairs(shape, input_shape)
        self.l1, self.weight, self.discriminator_weight = l1, weight, discriminator_weight
        if not conditional:
            self.conditions = self.given = ()
        self.input_shapes = {"input": given}
        self.generator = generator()
        if conditional:
            self.discriminator: Discriminator = PictureConditionalDiscriminator(discriminator, shape, given, "input")
        else:
            self.discriminator = discriminator(shape=shape)
        self.install(tricks or {})

    def install(self, tricks: Mapping[str, Trick]) -> None:
        super().install(tricks)
        if not self.weight:
            for trick in self.tricks.each():
                if trick.replaces or trick.shapes or isinstance(trick, FeatureMatching):
                    raise ValueError(f"{trick.name} needs a discriminator that plays: set model.weight=1")
            self.turns = tuple(turn for turn in self.turns if turn.player in self.generators)

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        return self.to_each(self._pair(self.network("generator", averaged)(batch.data["input"]), batch))

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        return self.to_each(self._pair(batch.data["real"], batch))

    def value(self, inputs: LossInputs) -> Tensor:
        return self.discriminator_weight * super().value(inputs)

    def aggregate(self, values: list[Tensor], batch: Batch) -> Tensor:
        return self.weight * super().aggregate(values, batch)

    def generator_turn(self, generator: str, fakes: Mapping[str, Samples], batch: Batch) -> TurnContext:
        (made,) = fakes.values()
        distance = (made.x.float() - batch.data["real"]).abs().mean()
        if not self.weight:
            return TurnContext(self, batch, fakes, {}, {"l1": self.l1 * distance})
        context = super().generator_turn(generator, fakes, batch)
        return replace(context, terms={**context.terms, "l1": self.l1 * distance}) if self.l1 else context

    def latents_in_words(self) -> dict[str, str]:
        return {"input": "pixels in [-1, 1] of the pictures to translate"}

    def preview_request(self, n: int) -> Request:
        """Three translations in a row, each between what was given and what is true."""
        return Request(3 * max(n // 12, 1), columns=9)

    def sample(self, request: Request) -> dict[str, Samples]:
        """Beside what it makes of inputs, the real pictures where the request has them."""
        made = super().sample(request)
        return {**made, **{name: Samples(request.inputs[name]) for name in self.compared if name in request.inputs}}

    def translator(self, asked: Mapping[str, str]) -> Translator:
        for word in asked:
            raise ValueError(f"{word}=… asks for what this run's game does not know: leave it out")
        network = self.network("generator")
        assert isinstance(network, Translator)
        return network

    def _pair(self, x: Tensor, batch: Batch) -> Samples:
        return Samples(x, {name: batch.data[name] for name in self.conditions}, frozenset(self.given))
