"""What a run goes on from: its counters, and its learners: players with what moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import torch
from torch import nn
from typeguard import TypeCheckError, check_type

from gantrain.errors import UserError
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
    """Why a trick, or its health, ended the run at this step."""
    rollbacks: int = 0
    """How often the run went back to an earlier step; mixed into what is drawn since."""

    def move_on(self) -> None:
        """A round was played."""
        self.step += 1
        self.figures = self.ended = None

    @classmethod
    def of(cls, held: Any, what: str) -> Progress:
        """The counters in a checkpoint, which may be a stranger's.

        Raises:
            UserError: one is unknown, or of another type.
        """
        hints = get_type_hints(cls)
        damaged = f"the counters in {what} are damaged: choose another checkpoint"
        if not isinstance(held, dict) or not held.keys() <= hints.keys():
            raise UserError(damaged)
        try:
            for name, value in held.items():
                check_type(value, hints[name])
        except TypeCheckError as error:
            raise UserError(damaged) from error
        progress = cls(**held)
        if min(progress.step, progress.position, progress.rollbacks) < 0 or progress.step >= 2**53:
            raise UserError(damaged)
        return progress


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
