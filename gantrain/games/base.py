"""The shape of every game."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from gantrain.losses import Objective
from gantrain.networks.layers import Growing, batch_normalised
from gantrain.tricks.base import Context, Judged, Plan, Seen, Shown, Trick

Result = TypeVar("Result")


@dataclass(frozen=True)
class Batch:
    """What one turn is played with; on the device, in shapes that stay.

    `data`: "real" (N, C, H, W) in [-1, 1] or (N, D), "label" (N,), and what else a source gives. `latent`: what
    `Game.latents` drew. `step`: () int64, so that decays follow it without a new shape. `phase`: what `Game.phase` said
    of this turn.
    """

    data: Mapping[str, Tensor]
    latent: Mapping[str, Tensor]
    step: Tensor
    phase: Mapping[str, Hashable] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """One entry of a round: who moves, how often, whether a batch of real data is drawn for it, and how many times the
    run's batch size it plays."""

    player: str
    times: int = 1
    real: bool = True
    batches: int = 1


@dataclass(frozen=True)
class Request:
    """What is asked of `Game.sample`: how many; latents, where they are given; samples to start from, where there are.

    `columns`: how many stand side by side in a picture; None where any number will do.
    """

    n: int
    latent: Mapping[str, Tensor] = field(default_factory=dict)
    inputs: Tensor | None = None
    columns: int | None = None


class Draw(Protocol):
    """Gives n real samples from a position on, with latents."""

    def __call__(self, n: int, position: int = 0) -> Batch: ...


class Game(Growing):
    """Owns its players and knows the named loss terms of one player's turn, and nothing of optimizers, files or logs.

    `generators` and `discriminators` are names of players that are sub-modules. `told` names what a discriminator is
    told about samples; `labelled` says that samples have labels or codes of their own, so that they cannot be put
    together. `observed` holds the discriminator's logits "real" and "fake" of the turn just played, for whoever
    watches. `averages` holds a slow copy of each player for which a trick asks for one.
    """

    turns: tuple[Turn, ...]
    generators: tuple[str, ...] = ("generator",)
    discriminators: tuple[str, ...] = ("discriminator",)
    told: tuple[str, ...] = ()
    labelled: bool = False

    def __init__(self, loss: Objective) -> None:
        super().__init__()
        self.loss = loss
        self.averaged: set[str] = set()
        self.averages = nn.ModuleDict()
        self.tricks = nn.ModuleDict()
        self.observed: dict[str, Tensor] = {}

    # --- what each game says -------------------------------------------------------------------------------------

    def latents(self, n: int) -> dict[str, Tensor]:
        """All the randomness of a turn for n samples, from the default generator."""
        raise NotImplementedError

    def terms(self, player: str, batch: Batch) -> dict[str, Tensor]:
        """The named loss terms, scalars, whose sum the player minimises."""
        raise NotImplementedError

    def generate(self, latent: Mapping[str, Tensor], finished: bool = False) -> Shown:
        """Fakes, with what is known about them; by the networks that samples use where `finished`."""
        raise NotImplementedError

    def real(self, batch: Batch) -> Shown:
        """Real samples, with what is known about them."""
        raise NotImplementedError

    def judge(self, discriminator: str, shown: Shown) -> Judged:
        """What a discriminator makes of what it is shown."""
        raise NotImplementedError

    def contest(self, discriminator: str, made: Shown, batch: Batch) -> Context:
        """A discriminator's turn against the fakes `made`, up to its loss's own terms, before tricks add theirs."""
        raise NotImplementedError

    def reply(self, player: str, made: Shown, batch: Batch) -> Context:
        """A generator's turn with the fakes `made`, up to its loss's own terms, before tricks add theirs."""
        raise NotImplementedError

    def aggregate(self, values: list[Tensor]) -> Tensor:
        """What the generator minimises where several discriminators judge it: the mean of its losses."""
        return torch.stack(values).mean()

    def parameters_of(self, player: str) -> list[nn.Parameter]:
        """What moves in the player's turn; the sets of two players may overlap."""
        return list(self.get_submodule(player).parameters())

    def sample(self, request: Request) -> dict[str, Tensor]:
        """Named sets of samples; "samples" (n, *shape) comes first."""
        raise NotImplementedError

    def request(self, n: int, asked: Mapping[str, str]) -> Request:
        """The request for n samples with the user's words on what they should be: `class`, `code` …

        Raises:
            ValueError: the game knows no such word, or not that value; the sentence says what to change.
        """
        for word in asked:
            raise ValueError(f"{word}=… asks for what this run's game does not know: leave it out")
        return Request(n)

    def gallery(self, n: int) -> Request:
        """The request for the picture that shows a run best, of about n samples; draws its latents."""
        return Request(n, self.latents(n))

    def begin(self, draw: Draw, size: int | None) -> None:
        """Before the first turn of a new run: what the game keeps of the data, of which there are `size` samples.

        Raises:
            ValueError: there is not enough.
        """

    def classify(self, x: Tensor) -> Tensor:
        """Class logits (N, K) of samples, in games that have a classifier (`classifies`)."""
        raise NotImplementedError

    classifies: bool = False
    reconstructs: bool = False

    def phase(self, player: str, played: int) -> dict[str, Hashable]:
        """Changes when shapes or rules change. `played`: how many turns the player had before this one."""
        asked = {trick.name: trick.phase(player, played) for trick in self.each_trick()}
        return {name: value for name, value in asked.items() if value is not None}

    # --- what all games share ------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def forward(self, call: Callable[[], Result]) -> Result:
        """Makes a call, so that `torch.func.functional_call` can run any method with other weights."""
        return call()

    def install(self, tricks: Mapping[str, Trick]) -> None:
        """Lets the tricks set up, in the user's order, and checks that the whole still fits the loss.

        Raises:
            ValueError: a trick does not fit, two replace the same term, or a discriminator has batch norm where the
                loss takes a gradient per sample. A layer that shows a batch on purpose, such as that of
                minibatch_stddev, has its place there (Karras et al. 2017).
        """
        replaced: dict[str, str] = {}
        for name, trick in {**self.loss.tricks, **tricks}.items():
            trick.name = name
            for player in trick.players or ():
                if player not in {*self.seats(), *(seat.partition("_")[0] for seat in self.seats())}:
                    raise ValueError(f"{name} has no player {player}: its players may be {', '.join(self.seats())}")
            trick.setup(self)
            for term in trick.replaces:
                if term in replaced:
                    raise ValueError(f"{replaced[term]} and {name} both replace {term}: leave one of them out")
                replaced[term] = name
            self.tricks[name] = trick
        for trick in self.each_trick():
            for other in self.each_trick():
                if {*trick.drops} & {*other.shapes}:
                    raise ValueError(f"{trick.name} drops the very loss term that {other.name} works on: leave one out")
        for name in self.discriminators if self.loss.per_sample else ():
            if batch_normalised(self.get_submodule(name)):
                raise ValueError(
                    "this loss takes a gradient per sample, but samples meet in the discriminator's batch norm: set "
                    "model.discriminator.norm=layer, or take another loss"
                )
        slow = [name for name in self.seats() if name in self.averaged]
        self.averages.update({name: copy.deepcopy(self.get_submodule(name)) for name in slow})
        self.averages.requires_grad_(False)

    def seats(self) -> tuple[str, ...]:
        """The names of all players."""
        return (*self.generators, *self.discriminators)

    def check(self, plan: Plan) -> None:
        """Whether the game and every trick fit what is planned.

        Raises:
            ValueError: one does not.
        """
        if self.loss.adversarial.whole_batch:
            plan.needs_whole_batch(f"{type(self.loss.adversarial).__name__} compares means of the whole batch")
        for trick in self.each_trick():
            trick.check(plan)

    def each_trick(self) -> list[Trick]:
        return [trick for trick in self.tricks.values() if isinstance(trick, Trick)]

    def finished(self, player: str) -> nn.Module:
        """The network that samples and evaluations use: the averaged one where there is one."""
        return self.averages[player] if player in self.averages else self.get_submodule(player)

    @contextmanager
    def resting(self, *networks: nn.Module) -> Iterator[None]:
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

    def show(self, shown: Shown, batch: Batch) -> Shown:
        """Samples as the discriminator is shown them."""
        x = shown.samples
        for trick in self.each_trick():
            x = trick.view(x, batch)
        return self.fold(replace(shown, samples=x))

    def fold(self, shown: Shown) -> Shown:
        """Samples put together as the discriminator judges them."""
        for trick in self.each_trick():
            shown = trick.fold(shown)
        return shown

    def seen(self, player: str, seen: Seen, batch: Batch) -> Seen:
        """Logits and targets as the player's loss is shown them."""
        for trick in self.each_trick():
            seen = trick.targets(player, seen, batch)
        return seen

    def with_tricks(self, player: str, context: Context) -> dict[str, Tensor]:
        """The loss terms with those that tricks add or replace."""
        terms = dict(context.terms)
        for trick in self.each_trick():
            terms.update(trick.terms(player, context))
        return terms
