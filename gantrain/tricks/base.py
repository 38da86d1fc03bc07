"""The places that a trick may touch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from gantrain.automatic import Automatic
from gantrain.networks.layers import LateBuffers
from gantrain.renamed import refuse_former_names
from gantrain.schedules import HasSchedules
from gantrain.tricks.interface import GameInterface, RunPlan, TurnContext
from gantrain.turns import Batch, DrawBatch, LossInputs, Player, Samples, TurnPlan

RENAMED = {"view": "augment", "fold": "pack", "phase": "plan", "shown_shape": "packed_shape"}


class Trick(LateBuffers, Automatic, HasSchedules):
    """Does nothing; a trick overrides the one or two hooks that it needs.

    A trick is a module, so that its buffers move to the device and into the checkpoint with the game. Those that need
    the data's or the networks' shapes come into being in `begin`; loading makes those that a checkpoint holds. Tricks
    are called in the order in which the user names them.

    Attributes:
        needs_real: the generator's turn must draw real samples too.
        packs_samples: several samples are judged as one.
        begins_first: the networks that it changed work only once it has begun.
        replaces: the loss terms, `<role>/<term>`, in whose place the trick puts its own.
        drops: those of them whose value then plays no part.
        shapes: the terms that it changes from within.
        rates: its settings that, when they are too large, let a run diverge.
        players: whom the trick concerns, by name or by role; None for whomever it finds.
        name: what the config calls it; set when the trick is installed.
    """

    needs_real: bool = False
    packs_samples: bool = False
    begins_first: bool = False
    replaces: Sequence[str] = ()
    drops: Sequence[str] = ()
    shapes: Sequence[str] = ()
    rates: Sequence[str] = ()
    players: Sequence[str] | None = None
    name: str = ""

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        refuse_former_names(cls, RENAMED)

    def concerns(self, player: Player) -> bool:
        """Whether the player is among `players`."""
        return self.players is None or player.is_among(self.players)

    def setup(self, game: GameInterface) -> None:
        """Once, when the game is built: layers to add or change.

        Raises:
            ValueError: the trick does not fit the game; the sentence says what to change.
        """

    def packed_shape(self, shape: list[int]) -> list[int]:
        """The shape of a discriminator's input, where samples have `shape`."""
        return shape

    def check(self, plan: RunPlan) -> None:
        """Before any data is read.

        Raises:
            ValueError: the trick does not fit what is planned; the sentence says what to change.
        """

    def begin(self, game: GameInterface, draw: DrawBatch) -> None:
        """Before the first turn of a new run; `draw` gives batches of real samples and latents of any size."""

    def plan(self, player: Player, plan: TurnPlan) -> TurnPlan:
        """The plan of a player's turn with what the trick changes in it."""
        return plan

    def fakes(self, discriminator: Player, fakes: Samples) -> Samples:
        """The fakes of a discriminator's turn."""
        return fakes

    def show(self) -> str:
        """Gets ready for a look at what it makes of pictures before a run, and says in a few words what is seen."""
        return self.name

    def augment(self, x: Tensor, batch: Batch) -> Tensor:
        """Samples as the discriminator is shown them, real and fake alike; differentiable.

        Pictures that a sample is judged beside are further channels of x (N, C, H, W).
        """
        return x

    def pack(self, samples: Samples) -> Samples:
        """Samples put together for the discriminator, after every augmentation."""
        return samples

    def targets(self, player: Player, inputs: LossInputs, batch: Batch) -> LossInputs:
        """The logits and targets that a player's loss is given."""
        return inputs

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        """Named loss terms to add, or to put in the place of those of the same name."""
        return {}

    def before_update(self, player: Player, parameters: Sequence[nn.Parameter]) -> None:
        """The player's gradients are there."""

    def constrain(self, player: Player, game: GameInterface) -> None:
        """The player's parameters moved: bounds that they keep, before any trick looks at them."""

    def after_update(self, player: Player, game: GameInterface, samples: int) -> None:
        """The player's parameters moved; `samples` is the size of its batch."""

    def numbers(self) -> Mapping[str, Tensor]:
        """Scalars worth a curve, `tricks/<name>/<number>` in the log."""
        return {}

    def should_stop(self, metrics: Mapping[str, float]) -> str | None:
        """After an evaluation: the reason to stop training, or None."""
        return None
