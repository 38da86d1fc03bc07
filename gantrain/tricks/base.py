"""The places that a trick may touch."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from gantrain.automatic import Automatic
from gantrain.networks.layers import Growing
from gantrain.turns import Shown

if TYPE_CHECKING:
    from gantrain.games.base import Batch, Draw, Game


@dataclass(frozen=True)
class Judged:
    """What a discriminator was shown and what it made of it: logits (N,) or (N, P), and the features under them."""

    shown: Shown
    logits: Tensor
    features: Tensor


@dataclass(frozen=True)
class Duel:
    """One discriminator's view of a turn."""

    fake: Judged
    real: Judged | None


@dataclass(frozen=True)
class Seen:
    """The logits that a loss is shown, and targets where they are not the loss's own."""

    fake: Tensor
    real: Tensor | None = None
    real_target: float | Tensor | None = None
    fake_target: float | Tensor | None = None


@dataclass(frozen=True)
class Context:
    """What happened in a turn, for tricks that add or replace loss terms.

    `made` are the fakes as they left the generator; `duels` what each discriminator that took part saw of them and of
    real samples, by its name; `terms` the loss terms so far.
    """

    game: Game
    batch: Batch
    made: Shown
    duels: Mapping[str, Duel]
    terms: Mapping[str, Tensor]


@dataclass(frozen=True)
class Plan:
    """What a run will be: the shape of a sample, how many are played and how many judged at once, the tags that its
    metrics give (None where that is not known), those that are better when higher, the steps between evaluations, and
    in how many parts a batch is played."""

    shape: Sequence[int]
    samples: int
    judged: int
    tags: frozenset[str] | None = None
    higher_is_better: frozenset[str] = frozenset()
    evaluate_every: int | None = None
    parts: int = 1

    def needs_whole_batch(self, sentence: str, way_out: str = "") -> None:
        """Refuses what looks at a batch as a whole where the batch is played in parts.

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


class Trick(Growing, Automatic):
    """Does nothing; a trick overrides the one or two hooks that it needs.

    A trick is a module, so that its buffers move to the device and into the checkpoint with the game. They may come
    into being while training: loading makes those that a checkpoint holds. Tricks are called in the order in which the
    user names them. `needs_real`: the generator's turn must draw real samples too. `replaces`: the loss terms,
    `<player>/<term>`, in whose place the trick puts its own; `drops`: those of them whose value then plays no part;
    `shapes`: those that it changes from within. `rates`: its settings that, when they are too large, let a run diverge.
    """

    needs_real: bool = False
    replaces: Sequence[str] = ()
    drops: Sequence[str] = ()
    rates: Sequence[str] = ()
    shapes: Sequence[str] = ()
    players: Sequence[str] | None = None
    """Whom the trick concerns, by name or by what names begin with; None for whomever it finds."""
    name: str = ""
    """Set when the trick is installed: what the config calls it."""

    def concerns(self, player: str) -> bool:
        """Whether the player is among `players`."""
        return self.players is None or player in self.players or player.partition("_")[0] in self.players

    def setup(self, game: Game) -> None:
        """Once, when the game is built: layers to add or change.

        Raises:
            ValueError: the trick does not fit the game; the sentence says what to change.
        """

    def shown_shape(self, shape: list[int]) -> list[int]:
        """The shape of what the discriminator is shown, where samples have `shape`."""
        return shape

    def check(self, plan: Plan) -> None:
        """Before any data is read.

        Raises:
            ValueError: the trick does not fit what is planned; the sentence says what to change.
        """

    def begin(self, game: Game, draw: Draw) -> None:
        """Before the first turn of a new run; `draw` gives batches of real samples and latents of any size."""

    def phase(self, player: str, played: int) -> Hashable:
        """A plain value that changes when the trick's shapes or rules do; it comes back as `batch.phase[name]`.

        Args:
            played: how many turns the player had before this one.
        """
        return None

    def fakes(self, made: Shown) -> Shown:
        """The fakes of a discriminator's turn."""
        return made

    def view(self, x: Tensor, batch: Batch) -> Tensor:
        """What the discriminator is shown, real and fake alike; differentiable."""
        return x

    def fold(self, shown: Shown) -> Shown:
        """Samples put together for the discriminator, after every view."""
        return shown

    def targets(self, player: str, seen: Seen, batch: Batch) -> Seen:
        """The logits and targets that a player's loss sees."""
        return seen

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        """Named loss terms to add, or to put in the place of those of the same name."""
        return {}

    def before_update(self, player: str, parameters: Sequence[nn.Parameter]) -> None:
        """The player's gradients are there."""

    def constrain(self, player: str, game: Game) -> None:
        """The player's parameters moved: bounds that they keep, before any trick looks at them."""

    def after_update(self, player: str, game: Game, samples: int) -> None:
        """The player's parameters moved; `samples` is the size of its batch."""

    def numbers(self) -> Mapping[str, Tensor]:
        """Scalars worth a curve, `tricks/<name>/<number>` in the log."""
        return {}

    def should_stop(self, metrics: Mapping[str, float]) -> str | None:
        """After an evaluation: the reason to stop training, or None."""
        return None


def is_generator(player: str) -> bool:
    """Whether a player's name says that it makes samples: `generator`, `generator_ab` …"""
    return player.partition("_")[0] == "generator"


def is_discriminator(player: str) -> bool:
    """Whether a player's name says that it judges: `discriminator`, `discriminator_2` …"""
    return player.partition("_")[0] == "discriminator"
