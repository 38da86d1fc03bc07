"""The shape of every game."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gantrain.losses import Objective
from gantrain.networks.layers import batch_normalised, compares_samples, samples_meet
from gantrain.networks.translator import Translator
from gantrain.renamed import refuse_former_names
from gantrain.schedules import Scheduled
from gantrain.tricks import RunPlan, Trick, TurnContext
from gantrain.tricks.collection import Tricks
from gantrain.tricks.interface import GameInterface
from gantrain.turns import Batch, DrawBatch, Samples, Turn, TurnPlan


@dataclass(frozen=True)
class Request:
    """What is asked of `Game.sample`.

    Attributes:
        n: how many samples.
        latent: latents, where they are given.
        inputs: fields of data to start from, (n, …) each, by name.
        columns: how many stand side by side in a picture; None where any number will do.
        step: of the run whose networks make them.
        resolution: the shorter side of the pictures, where the game makes them at several; None for the data's.
    """

    n: int
    latent: Mapping[str, Tensor] = field(default_factory=dict)
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    columns: int | None = None
    step: int = 0
    resolution: int | None = None


RENAMED = {
    "contest": "discriminator_turn",
    "reply": "generator_turn",
    "judge": "score",
    "told": "conditions",
    "seat": "build_players",
    "seats": "players",
    "show": "discriminator_inputs",
    "finished": "network",
    "resting": "evaluating",
}


class Game(GameInterface):
    """Owns its players and knows the named loss terms of one player's turn, and nothing of optimizers, files or logs.

    `observing` says that somebody watches turns, as long as nobody says otherwise; `observed` then holds the
    discriminator's logits "real" and "fake" of the last one, and `observed_fakes` what was generated for it.
    `classifies` says that a player names classes; `inputs` names the fields of data that generators start from, where
    noise is not enough: a request must have them, or at least the first, of which "samples" are made; `input_shapes`
    the shape of each of them, where generators can be handed over by themselves; `compared` those that pictures show
    after what was made of these. `grid` names what a picture shows beside each other of what was given and made, in
    this order; all of it where it is empty. `pairs_domains` says that "samples", of domain B, belong one by one to
    those called "other", of domain A.
    """

    turns: tuple[Turn, ...]
    classifies: bool = False
    inputs: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    input_shapes: Mapping[str, Sequence[int]] = {}
    grid: tuple[str, ...] = ()
    pairs_domains: bool = False

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        refuse_former_names(cls, RENAMED)

    def __init__(self, loss: Objective) -> None:
        super().__init__()
        self.loss = loss
        self.averaged: set[str] = set()
        self.averages = nn.ModuleDict()
        self.tricks = Tricks()
        self.observing = True
        self.observed: dict[str, Tensor] = {}
        self.observed_fakes: Tensor | None = None

    # --- what each game says -------------------------------------------------------------------------------------

    def latents(self, n: int) -> dict[str, Tensor]:
        """What generators start from, and choices that all samples of a turn share, drawn at random, (n, …) each."""
        return {}

    def latents_in_words(self) -> dict[str, str]:
        """What the numbers of each latent are."""
        return {}

    def terms(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """The named loss terms, scalars, whose sum the player minimises."""
        raise NotImplementedError

    def generator_turn(self, generator: str, fakes: Mapping[str, Samples], batch: Batch) -> TurnContext:
        """A generator's turn with these fakes, up to its loss's own terms, before tricks add theirs."""
        raise NotImplementedError

    def fakes_for(self, discriminators: Collection[str], batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        """The fakes that these discriminators judge; a game whose others cost something makes no others."""
        made = self.generate(batch, averaged)
        return {name: made[name] for name in discriminators}

    def aggregate(self, values: list[Tensor], batch: Batch) -> Tensor:
        """The mean of the generator's losses by each discriminator."""
        return torch.stack(values).mean() if len(values) > 1 else values[0]

    def opponents(self, generator: str) -> tuple[str, ...]:
        """The discriminators that judge what the generator makes."""
        return self.discriminators

    def sample(self, request: Request) -> dict[str, Samples]:
        """Sets of n samples, float32, with what is known of each sample; "samples" comes first."""
        raise NotImplementedError

    def request(self, n: int, asked: Mapping[str, str]) -> Request:
        """The request for n samples with the user's words on what they should be: `class`, `code` …

        Raises:
            ValueError: the game knows no such word, or not that value; the sentence says what to change.
        """
        for word in asked:
            raise ValueError(f"{word}=… asks for what this run's game does not know: leave it out")
        return Request(n)

    def translator(self, asked: Mapping[str, str]) -> Translator | None:
        """The network that translates a user's pictures, as the user's words choose it; None where there is none.

        Raises:
            ValueError: the game translates, but knows no such word; the sentence says what to change.
        """
        return None

    def preview_request(self, n: int) -> Request:
        """The request for the picture that shows a run best, of about n samples; draws its latents."""
        return Request(n, self.latents(n))

    def begin(self, draw: DrawBatch, size: int | None) -> None:
        """Before the first turn of a new run: what the game keeps of the data, of which there are `size` samples.

        Raises:
            ValueError: there is not enough.
        """

    def classify(self, x: Tensor) -> Tensor:
        """Class logits (N, K) of samples, in games that have a classifier (`classifies`)."""
        raise NotImplementedError

    def captions(self, samples: Samples) -> Sequence[str]:
        """What each sample was asked to show, in words, for whoever shows it; nothing in a game without words."""
        return ()

    def without_value(self) -> str | None:
        """Why the players do not fight for one value, which one raises and the other lowers; None where they do."""
        return "nothing says that this game has one"

    def without_reuse(self) -> str | None:
        """Why the fakes of a discriminator's last turn cannot be those of the generator's next, and what to change.

        None where they can.
        """
        return "nothing says that its players' turns are with the same samples; leave it out"

    def phase(self, step: int) -> int:
        """The phase of a game that grows or changes its rules, in step `step`; it must follow from the step alone."""
        return 0

    def entered(self, phase: int) -> tuple[str, ...]:
        """A phase begins: the players whose optimizers start anew with it.

        It is called in the step in which the phase begins, and never again, however a run goes on: all parameters are
        there from the start, and what else changes follows from `phase`.
        """
        return ()

    def turns_at(self, step: int) -> tuple[Turn, ...]:
        """The turns of step `step`: those of `turns` that are played then, with as many samples as in its phase."""
        return self.turns

    def numbers(self, batch: Batch) -> Mapping[str, Tensor]:
        """Scalars worth a curve, by their tags, in the turn that this batch is of."""
        return {}

    def plan(self, player: str, played: int, step: int = 0) -> TurnPlan:
        """What the shapes and rules of a player's turn follow from.

        Args:
            played: how many turns the player had before this one.
            step: of the run.
        """
        penalties = self.loss.due(played) if player in self.discriminators else ()
        return self.tricks.plan(self.player(player), TurnPlan(penalties, self.phase(step), played=played))

    # --- what all games share ------------------------------------------------------------------------------------

    def install(self, tricks: Mapping[str, Trick]) -> None:
        """Lets the tricks set up, in the user's order, and checks that the whole still fits the loss.

        Raises:
            ValueError: a trick does not fit, two replace the same term, or a discriminator has batch norm where the
                loss takes a gradient per sample. A layer that shows a batch on purpose, such as that of
                minibatch_stddev, has its place there (Karras et al. 2017).
        """
        self.tricks.setup(self, {**self.loss.tricks, **tricks})
        for name in self.discriminators if self.loss.per_sample else ():
            if batch_normalised(self.get_submodule(name)):
                raise ValueError(
                    "this loss takes a gradient per sample, but samples meet in the discriminator's batch norm: set "
                    "model.discriminator.norm=layer, or take another loss"
                )
        self.scores_together = {name for name in self.discriminators if not samples_meet(self.get_submodule(name))}
        slow = [player.name for player in self.players if player.name in self.averaged]
        copies = copy.deepcopy({name: self.get_submodule(name) for name in slow})  # together: shared layers stay shared
        self.averages.update(copies)
        self.averages.requires_grad_(False)

    def check(self, plan: RunPlan) -> None:
        """Whether the game and every trick fit what is planned.

        Raises:
            ValueError: one does not.
        """
        if self.loss.adversarial.whole_batch:
            plan.needs_whole_batch(f"{type(self.loss.adversarial).__name__} compares means of the whole batch")
        if plan.reuses_fakes:
            if plan.parts > 1:
                raise ValueError(
                    "trainer.reuse_fakes keeps the fakes of the whole batch with all that they were made through, but "
                    f"trainer.accumulate={plan.parts} plays it in parts to save memory: set trainer.accumulate=1, or "
                    "leave trainer.reuse_fakes out"
                )
            if plan.shards:
                raise ValueError(
                    "trainer.reuse_fakes has the generator learn through weights that trainer.shard gives up after the "
                    "discriminator's turn: leave one of them out"
                )
            if reason := self.without_reuse():
                raise ValueError(f"trainer.reuse_fakes does not fit this game: {reason}")
        self.tricks.check(plan)

    def batch_at(
        self, step: int, latent: Mapping[str, Tensor] | None = None, data: Mapping[str, Tensor] | None = None
    ) -> Batch:
        """What the game is asked with outside any turn, as it is in step `step`."""
        now = torch.tensor(step, device=self.device)
        return Batch(data or {}, latent or {}, now, TurnPlan(phase=self.phase(step)))

    def scheduled(self) -> list[Scheduled]:
        """The settings of the loss and of tricks that a schedule moves."""
        return [*self.loss.scheduled(), *self.tricks.scheduled()]

    @property
    def scores_samples_alone(self) -> bool:
        """Whether there is one discriminator, whose logit of a sample depends on nothing but that sample."""
        (first, *others), compares = self.discriminators, self.tricks.packs_samples or bool(self.conditions)
        return not others and not compares and not compares_samples(self.get_submodule(first))

    def network(self, player: str, averaged: bool = True) -> nn.Module:
        """A player's network; the slow copy that samples and evaluations use where there is one and it is asked for."""
        return self.averages[player] if averaged and player in self.averages else self.get_submodule(player)

    def discriminator_inputs(self, samples: Samples, batch: Batch) -> Samples:
        return self.tricks.pack(self.tricks.augment(samples, batch))

    def trick_terms(self, player: str, context: TurnContext) -> dict[str, Tensor]:
        return self.tricks.terms(self.player(player), context)

    def to_each(self, samples: Samples) -> dict[str, Samples]:
        """The same samples for every discriminator."""
        return dict.fromkeys(self.discriminators, samples)
