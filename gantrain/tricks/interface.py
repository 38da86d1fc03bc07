"""What a trick may ask of the game and of the run in which it takes part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from gantrain.losses import Objective
from gantrain.networks import Noise
from gantrain.networks.layers import LateBuffers
from gantrain.turns import Batch, Comparison, Player, Role, Samples, Scores

Result = TypeVar("Result")


class GameInterface(LateBuffers):
    """A game as tricks know it.

    Attributes:
        generators, discriminators, classifiers, encoders: the names of players that are sub-modules.
        conditions: the names of what discriminators are told about samples.
        given: those of `conditions` under which a sample is judged, such as a picture to refine, and which are no part
            of what is judged: no penalty takes a gradient by them.
        labelled: samples have labels or codes of their own, so that they cannot be put together.
        reconstructs: an encoder plays with the generator.
        noise: what generators start from; None where that is something else.
        averaged: the players of whom `averages` holds a slow copy.
    """

    loss: Objective
    averages: nn.ModuleDict
    averaged: set[str]
    generators: tuple[str, ...] = ("generator",)
    discriminators: tuple[str, ...] = ("discriminator",)
    classifiers: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    labelled: bool = False
    reconstructs: bool = False
    noise: Noise | None = None
    _device: torch.device | None = None

    @cached_property
    def players(self) -> tuple[Player, ...]:
        """All players."""
        roles = {
            Role.GENERATOR: self.generators,
            Role.DISCRIMINATOR: self.discriminators,
            Role.CLASSIFIER: self.classifiers,
            Role.ENCODER: self.encoders,
        }
        return tuple(Player(name, role) for role, names in roles.items() for name in names)

    def player(self, name: str) -> Player:
        """The player of that name.

        Raises:
            ValueError: the game names none such.
        """
        if name not in self._players_by_name:
            have = ", ".join(self._players_by_name)
            raise ValueError(f"the game names no player {name} among its generators, discriminators … ({have})")
        return self._players_by_name[name]

    @cached_property
    def _players_by_name(self) -> dict[str, Player]:
        return {player.name: player for player in self.players}

    @property
    def device(self) -> torch.device:
        if self._device is None:
            self._device = next(self.parameters()).device
        return self._device

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._device = None  # it may be moved
        return super()._apply(fn, recurse)

    def forward(self, call: Callable[[], Result]) -> Result:
        """Makes a call, so that `torch.func.functional_call` can run any method with other weights."""
        return call()

    @contextmanager
    def evaluating(self, *networks: nn.Module) -> Iterator[None]:
        """Networks in evaluation mode, without gradients."""
        training = [network.training for network in networks]
        with torch.no_grad():
            for network in networks:
                network.eval()
            try:
                yield
            finally:
                for network, was in zip(networks, training, strict=True):
                    network.train(was)

    def parameters_of(self, player: str) -> list[nn.Parameter]:
        """What moves in the player's turn; the sets of two players may overlap."""
        return list(self.get_submodule(player).parameters())

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        """Fakes by the names of the discriminators that judge them; by the averaged networks where asked for."""
        raise NotImplementedError

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        """Real samples by the names of the discriminators that judge them."""
        raise NotImplementedError

    def conditions_of(self, discriminator: str) -> tuple[str, ...]:
        """What this discriminator is told about samples, of `conditions`."""
        return self.conditions

    def score(self, discriminator: str, inputs: Samples, batch: Batch) -> Scores:
        """What a discriminator, as it is in the batch's turn, makes of its inputs, which are augmented and packed."""
        raise NotImplementedError

    def discriminator_inputs(self, samples: Samples, batch: Batch) -> Samples:
        """Samples as a discriminator is given them: augmented and packed."""
        raise NotImplementedError

    def discriminator_turn(self, discriminator: str, fakes: Samples, batch: Batch) -> TurnContext:
        """A discriminator's turn against these fakes, up to its loss's own terms."""
        raise NotImplementedError

    def trick_terms(self, player: str, context: TurnContext) -> dict[str, Tensor]:
        """The terms of a turn with those that tricks add or replace."""
        raise NotImplementedError

    def aggregate(self, values: list[Tensor], batch: Batch) -> Tensor:
        """What the generator minimises where several discriminators judge it, from its loss by each of them."""
        raise NotImplementedError


@dataclass(frozen=True)
class TurnContext:
    """What happened in a turn, for tricks that add or replace loss terms.

    Attributes:
        fakes: as they left the generator, by the names of the discriminators that judge them.
        comparisons: what each discriminator that took part made of real and fake samples.
        terms: the loss terms so far.
    """

    game: GameInterface
    batch: Batch
    fakes: Mapping[str, Samples]
    comparisons: Mapping[str, Comparison]
    terms: Mapping[str, Tensor]


@dataclass(frozen=True)
class RunPlan:
    """What a run will be.

    Attributes:
        shape: of a sample.
        samples: how many are played at once, by all devices together.
        packs: how many logits a discriminator makes of them: fewer where it judges several as one.
        tags: those that the run's metrics give; None where that is not known.
        higher_is_better: the tags for which that holds.
        evaluate_every: steps between evaluations.
        parts: in how many parts a batch is played, one after the other.
        devices: how many play at the same time.
        reuses_fakes: the fakes of a discriminator's last turn are those of the generator's next.
        shards: several devices keep a part of every weight each, which are whole in turns alone.
    """

    shape: Sequence[int]
    samples: int
    packs: int
    tags: frozenset[str] | None = None
    higher_is_better: frozenset[str] = frozenset()
    evaluate_every: int | None = None
    parts: int = 1
    devices: int = 1
    reuses_fakes: bool = False
    shards: bool = False

    def needs_whole_batch(self, sentence: str, way_out: str = "") -> None:
        """Refuses what looks at a batch as a whole where the batch is played in parts.

        Several devices that play at the same time are no such parts: what meets is put together, by `gantrain.shares`.

        Args:
            sentence: says what does so, such as "feature_matching compares means of the whole batch".
            way_out: what else than one part would do.

        Raises:
            ValueError: it is played in parts.
        """
        if self.parts > 1:
            raise ValueError(
                f"{sentence}, but trainer.accumulate={self.parts} plays it in parts, which gives another gradient: set "
                f"trainer.accumulate=1{way_out}"
            )

    def needs_whole_weights(self, sentence: str) -> None:
        """Refuses what keeps weights of its own beside the game's where those are shared out.

        Args:
            sentence: says what does so, such as "historical_averaging keeps a mean of all weights".

        Raises:
            ValueError: they are shared out.
        """
        if self.shards:
            raise ValueError(f"{sentence}, which trainer.shard=true shares out: leave one of them out")

    def needs_one_device(self, sentence: str) -> None:
        """Refuses what several devices cannot play together.

        Args:
            sentence: says what does not, such as "unrolled moves the discriminator on the whole batch".

        Raises:
            ValueError: there are several.
        """
        if self.devices > 1:
            raise ValueError(
                f"{sentence}, which {self.devices} processes cannot do together: start it without torchrun, or leave "
                "that out"
            )
