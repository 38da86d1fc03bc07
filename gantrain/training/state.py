"""What a run goes on from: its counters, and its players with what moves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from gantrain.training.schedules import Schedule


@dataclass
class Progress:
    """The counters that a run goes on from."""

    step: int = 0
    """Rounds played."""
    position: int = 0
    """Real samples drawn: where the order of the data stands."""
    seconds: float = 0.0
    """Time spent training."""
    best: float | None = None
    """The best value so far of the metric that is watched, at evaluations that `metrics.every` asks for."""
    figures: dict[str, float] | None = None
    """What the evaluation of this step gave; None where there was none: then it may still be owed."""
    ended: str | None = None
    """Why a trick ended the run at this step."""
    rollbacks: int = 0
    """How often the run went back to an earlier step; mixed into what is drawn since."""


@dataclass
class Player:
    """A player's parameters and what moves them."""

    name: str
    parameters: Sequence[nn.Parameter]
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    rates: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]

    def set_rate(self, step: int, steps: int) -> None:
        factor = self.schedule(step, steps)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    @property
    def rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])
