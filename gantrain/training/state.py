"""What a run goes on from: its counters, and its learners: players with what moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from gantrain.schedules import Constant, Number, RateSchedule, Schedule
from gantrain.training.stepping import Stepping


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
class Learner:
    """A player's parameters and what moves them.

    Attributes:
        schedule: a factor on every learning rate.
        moving: settings of the optimizer that schedules move, such as `betas`: a number, or a list of them.
        rates: the learning rates without the factor.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    optimizer: torch.optim.Optimizer
    schedule: RateSchedule
    moving: Mapping[str, Number | Sequence[Number]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.step = Stepping(self.optimizer, self.parameters)
        self._stays = isinstance(self.schedule, Constant) and not self.moving

    def move_to(self, step: int, steps: int) -> None:
        """Sets what follows from the step: learning rates, and whatever else moves."""
        if self._stays:  # but a checkpoint may have brought other rates
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate
            return
        factor = self.schedule(step, steps)
        now = {name: number_at(setting, step, steps) for name, setting in self.moving.items()}
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group.update(now)
            group["lr"] = now.get("lr", rate) * factor

    def forget_gradients(self) -> None:
        """Before a turn."""
        for parameter in self.parameters:
            parameter.grad = None

    @property
    def rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])


def number_at(setting: Number | Sequence[Number], step: int, steps: int) -> Any:
    """A setting as it is in step `step` (from 0) of `steps`."""
    if isinstance(setting, Sequence):
        return tuple(number_at(part, step, steps) for part in setting)
    return setting(step, steps) if isinstance(setting, Schedule) else setting
