"""What a `loss` config builds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gantrain.losses.adversarial import AdversarialLoss
from gantrain.losses.penalties import Penalty
from gantrain.ranges import within
from gantrain.schedules import Scheduled


class Objective:
    """A value function with its penalties and the rhythm of the players.

    Args:
        adversarial: the value function.
        penalties: by name; the name becomes that of the loss term.
        per_sample: gradients are taken per sample, so that the discriminator has no batch norm.
        n_critic: discriminator turns per round.
        n_generator: generator turns per round.
        generator_batches: a generator's turn plays so many times the batch size; 2 in Miyato et al. 2018.
        tricks: what the loss itself brings along, such as weight clipping.

    Raises:
        ValueError: no turns for a player, or penalties where batch norm may be.
    """

    def __init__(
        self,
        adversarial: AdversarialLoss,
        penalties: Mapping[str, Penalty] | None = None,
        per_sample: bool = False,
        n_critic: int = 1,
        n_generator: int = 1,
        generator_batches: int = 1,
        tricks: Mapping[str, Any] | None = None,
    ) -> None:
        within("[1, 10000]", n_critic=n_critic, n_generator=n_generator, generator_batches=generator_batches)
        if penalties and not per_sample:
            raise ValueError("penalties take a gradient per sample: set loss.per_sample=true")
        self.adversarial = adversarial
        self.penalties = dict(penalties or {})
        self.per_sample = per_sample
        self.n_critic, self.n_generator, self.generator_batches = n_critic, n_generator, generator_batches
        self.tricks = dict(tricks or {})

    def due(self, played: int) -> tuple[str, ...]:
        """The names of the penalties that belong to a discriminator's turn before which it had `played`."""
        return tuple(name for name, penalty in self.penalties.items() if penalty.is_due(played))

    def scheduled(self) -> list[Scheduled]:
        """The settings that a schedule moves."""
        return [setting for penalty in self.penalties.values() for setting in penalty.scheduled()]
