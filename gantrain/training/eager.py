"""Turns operation by operation: what all other ways to take their gradients must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor, nn

from gantrain.games import Game
from gantrain.training.machine import Machine
from gantrain.turns import Batch

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Played:
    """What was played of a turn: its loss terms and their sum, detached."""

    terms: Terms
    total: Tensor


def total_of(terms: Terms) -> Tensor:
    """What a player minimises, a scalar."""
    return reduce(torch.add, terms.values())


class Eager:
    """Operation by operation.

    Attributes:
        notice: what who starts a run should know.
    """

    notice = ""

    def __init__(self, game: Game, machine: Machine) -> None:
        self.game, self.machine = game, machine

    def __str__(self) -> str:
        return ""

    def terms(self, player: str, batch: Batch) -> Terms:
        """A player's loss terms, forwards in the machine's precision."""
        with self.machine.autocast():
            return self.game.terms(player, batch)

    def backward(self, player: str, parameters: Sequence[nn.Parameter], batch: Batch, parts: int) -> Played:
        """Plays one of so many equal parts of a player's turn; the gradients are added to those of its parameters.

        They are those of the sum of all terms, divided by the number of parts.
        """
        terms = self.terms(player, batch)
        total = total_of(terms)
        (total / parts if parts > 1 else total).backward()
        return Played({name: value.detach() for name, value in terms.items()}, total.detach())

    def check_again(self) -> None:
        """Something else than turns may have changed what they are made of."""

    def begin_anew(self) -> None:
        """What turns are made of may lie elsewhere in memory."""
