"""The places that a trick may touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from gantrain.games.base import Batch, Game


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

    `real` and `fake` are samples as the discriminator was shown them; `terms` are the loss terms so far.
    """

    game: Game
    batch: Batch
    fake: Tensor
    fake_logits: Tensor
    real: Tensor | None
    real_logits: Tensor | None
    terms: Mapping[str, Tensor]


class Trick(nn.Module):
    """Does nothing; a trick overrides the one or two hooks that it needs.

    A trick is a module, so that its buffers move to the device and into the checkpoint with the game. Tricks are
    called in the order in which the user names them. `needs_real`: the generator's turn must draw real samples too.
    """

    needs_real: bool = False

    def setup(self, game: Game) -> None:
        """Once, when the game is built: layers to add or change.

        Raises:
            ValueError: the trick does not fit the game; the sentence says what to change.
        """

    def fakes(self, x: Tensor) -> Tensor:
        """The fakes of a discriminator's turn."""
        return x

    def view(self, x: Tensor) -> Tensor:
        """What the discriminator is shown, real and fake alike; differentiable."""
        return x

    def targets(self, player: str, seen: Seen) -> Seen:
        """The logits and targets that a player's loss sees."""
        return seen

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        """Named loss terms to add, or to put in the place of those of the same name."""
        return {}

    def before_update(self, player: str, parameters: Sequence[nn.Parameter]) -> None:
        """The player's gradients are there."""

    def after_update(self, player: str, game: Game, samples: int) -> None:
        """The player's parameters moved; `samples` is the size of its batch."""

    def should_stop(self, metrics: Mapping[str, float]) -> str | None:
        """After an evaluation: the reason to stop training, or None."""
        return None
