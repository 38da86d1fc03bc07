"""What one turn is played with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from torch import Tensor

from gantrain.turns.samples import Samples


@dataclass(frozen=True)
class TurnPlan:
    """What a turn's shapes and rules follow from. Two turns of a player with equal plans run the same operations.

    Attributes:
        penalties: the names of those that are due.
        phase: of a game that grows or changes its rules, counted from 0.
        top_k_share: the share of its fakes that a generator learns from.
        played: how many turns the player had before this one; equal plans may differ in it.
    """

    penalties: tuple[str, ...] = ()
    phase: int = 0
    top_k_share: float = 1.0
    played: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Batch:
    """What one turn, or an equal share of it, is played with; on the device, in shapes that stay.

    Attributes:
        data: "real" (N, C, H, W) in [-1, 1] or (N, D), "label" (N,), and what else a source gives.
        latent: what `Game.latents` drew, (N, …) each.
        step: () int64, so that what decays follows it without a new shape.
        plan: what the shapes and rules of this turn follow from.
        fakes: by the names of the discriminators that judge them, where they are made before the turn, with the
            generator's gradients, because the next turn is the generator's and plays the same ones.
    """

    data: Mapping[str, Tensor]
    latent: Mapping[str, Tensor]
    step: Tensor
    plan: TurnPlan = TurnPlan()
    fakes: Mapping[str, Samples] | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with all its tensors changed."""
        data, latent = ({name: change(values) for name, values in held.items()} for held in (self.data, self.latent))
        return replace(self, data=data, latent=latent, step=change(self.step))

    def tensors(self) -> list[Tensor]:
        """All its tensors, in an order that stays."""
        return [*self.data.values(), *self.latent.values(), self.step]


@dataclass(frozen=True)
class Turn:
    """One entry of a round.

    Attributes:
        player: the name of the player who moves.
        times: how often.
        real: whether a batch of real data is drawn for it.
        batches: how many times the run's batch size it plays.
    """

    player: str
    times: int = 1
    real: bool = True
    batches: int = 1


class DrawBatch(Protocol):
    """Gives n real samples from a position on, with latents."""

    def __call__(self, n: int, position: int = 0) -> Batch: ...
