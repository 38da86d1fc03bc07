"""Tensors of several runs beside each other, and optimizers that move them as one."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, optim

from gantrain.games import Game
from gantrain.training.state import Learner
from gantrain.training.stepping import Stepping, without_compiler

ELEMENTWISE = (optim.Adam, optim.AdamW, optim.RMSprop, optim.SGD, optim.NAdam, optim.RAdam, optim.Adagrad)
"""Optimizers that move each number by what they know of it alone."""


def side_by_side(tensors: Sequence[Tensor]) -> Tensor:
    """One tensor (R, …) of equal ones, which are views of it from here on."""
    whole = torch.stack([tensor.detach() for tensor in tensors])
    for tensor, own in zip(tensors, whole, strict=True):
        tensor.data = own
    return whole


class StackedLearner:
    """One player of several runs.

    Args:
        learners: of the runs.
        parameters: their weights beside each other, in the order of each one's.

    Where the optimizer moves every number by itself, and has moved each of them before, all runs take a step as one;
    else each takes its own.
    """

    def __init__(self, learners: Sequence[Learner], parameters: Sequence[Tensor]) -> None:
        self._learners, self.parameters = list(learners), list(parameters)
        self._optimizer: optim.Optimizer | None = None
        self._joined: list[dict[str, Tensor]] = []
        self._counts: list[Tensor] = []

    def wants_gradients(self, wanted: bool) -> None:
        """Whether gradients are taken by these weights."""
        for parameter in self.parameters:
            parameter.requires_grad = wanted

    def update(self, gradients: Sequence[Tensor | None], games: Sequence[Game], samples: int) -> None:
        """Moves the player of every run by its own gradients, and lets the run's tricks do what they do in each turn.

        Args:
            gradients: of all runs beside each other, (R, …), in the order of the parameters.
            samples: of a run's batch.
        """
        players = [game.player(learner.name) for game, learner in zip(games, self._learners, strict=True)]
        for place, gradient in enumerate(gradients):
            own = [None] * len(games) if gradient is None else gradient.unbind(0)
            for learner, its in zip(self._learners, own, strict=True):
                learner.parameters[place].grad = its
        for game, player, learner in zip(games, players, self._learners, strict=True):
            game.tricks.before_update(player, learner.parameters)
        if all(gradient is not None for gradient in gradients) and self._ready():
            self._step()
        else:
            for learner in self._learners:
                learner.step()
        for game, player in zip(games, players, strict=True):
            game.tricks.after_update(player, game, samples)

    def _step(self) -> None:
        assert self._optimizer is not None
        for place, parameter in enumerate(self.parameters):
            own = [learner.parameters[place].grad for learner in self._learners]
            parameter.grad = torch.stack([gradient for gradient in own if gradient is not None])  # as tricks left them
        first = self._learners[0].optimizer.param_groups[0]
        self._optimizer.param_groups[0].update({key: value for key, value in first.items() if key != "params"})
        self._step_as_one()
        for parameter in self.parameters:
            parameter.grad = None
        for counts in self._counts:
            counts[1:] = counts[0]

    def _ready(self) -> bool:
        """Whether all runs can take a step as one; then what their optimizers keep lies beside each other."""
        held = [[learner.optimizer.state.get(own, {}) for own in learner.parameters] for learner in self._learners]
        if self._optimizer is not None and all(now[0] is was for now, was in zip(held, self._joined, strict=True)):
            return True
        self._optimizer = None
        first, states = self._learners[0].optimizer, [state for states in held for state in states]
        alike = len({tuple(state) for state in states}) == 1 and bool(states[0])
        tensors = all(isinstance(value, Tensor) for state in states for value in state.values())
        if type(first) in ELEMENTWISE and len(first.param_groups) == 1 and alike and tensors:
            self._join(first)
        return self._optimizer is not None

    def _join(self, first: optim.Optimizer) -> None:
        """Puts what the optimizers keep beside each other, under one optimizer like the first."""
        joined: defaultdict[Tensor, dict[str, Tensor]] = defaultdict(dict)
        self._counts.clear()
        for place, parameter in enumerate(self.parameters):
            for learner in self._learners:  # a new one, by which who keeps lists of what is in it sees that that moved
                own = learner.parameters[place]
                learner.optimizer.state[own] = dict(learner.optimizer.state[own])
            states = [learner.optimizer.state[learner.parameters[place]] for learner in self._learners]
            for key, value in states[0].items():
                whole = side_by_side([state[key] for state in states])
                if value.shape == parameter.shape[1:]:
                    joined[parameter][key] = whole
                else:  # how often it moved: the same in all runs, and the first one's is counted on
                    self._counts.append(whole)
                    joined[parameter][key] = whole[0]
        with without_compiler():
            self._optimizer = copy.copy(first)
        self._optimizer.param_groups = [{**first.param_groups[0], "params": self.parameters}]
        self._optimizer.state = joined
        self._step_as_one = Stepping(self._optimizer, self.parameters)
        self._joined = [learner.optimizer.state[learner.parameters[0]] for learner in self._learners]
