"""Turns as one piece each, which are seen to agree with eager ones before they are used."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gantrain.games import Game
from gantrain.seeding import default_state, restore_default
from gantrain.shares import Share, playing
from gantrain.training.eager import Eager, Played, Terms, total_of
from gantrain.training.machine import Machine
from gantrain.turns import Batch, TurnPlan

CLOSELY, ROUGHLY = 1e-3, 0.1
"""So far a gradient may be off, as a share of its norm, in float32 and where forwards are bf16."""

Body = Callable[[Batch], tuple[Terms, Tensor, list[Tensor | None]]]
"""A turn's named loss terms and their sum, detached, and its gradient by each parameter; None where it has none."""


class Faster(Eager):
    """Each player's turns of one plan as one piece; eager, and `say` is told so once, where that cannot be."""

    how: str
    calls = 1
    """After so many a piece is what it will be."""

    def __init__(self, game: Game, machine: Machine, say: Callable[[str], None]) -> None:
        super().__init__(game, machine)
        self._say, self._said = say, set[str]()
        self._pieces: dict[tuple[str, TurnPlan, Share | None], Body | None] = {}

    def piece(self, player: str, body: Body) -> Body:
        """The body of a player's turn, faster."""
        raise NotImplementedError

    def begin_anew(self) -> None:
        self._pieces.clear()

    def backward(self, player: str, parameters: Sequence[nn.Parameter], batch: Batch, parts: int) -> Played:
        if self.game.observing:  # who watches wants to look between the operations
            self.check_again()
            return super().backward(player, parameters, batch, parts)
        key = (player, batch.plan, playing())
        if key not in self._pieces:
            try:
                self._pieces[key] = self._made(player, self._body(player, parameters), batch)
            except Unsure:
                return super().backward(player, parameters, batch, parts)
        piece = self._pieces[key]
        if piece is None:
            self.check_again()
            return super().backward(player, parameters, batch, parts)
        try:
            terms, total, gradients = piece(batch)
        except Exception as error:  # of a compiler that began anew; one of the turn itself comes again, and says more
            self._pieces[key] = None
            self._refuse(player, _first_line(error))
            return super().backward(player, parameters, batch, parts)
        _add_gradients(parameters, gradients, parts)
        return Played(terms, total)

    def _made(self, player: str, body: Body, batch: Batch) -> Body | None:
        """The body, faster, once it was seen to give what it gives in eager mode; else None, and why is said.

        Raises:
            Unsure: of this batch nothing can be seen.
        """
        try:
            piece = self.piece(player, body)
            off = self._difference(piece, body, batch)
            if off <= tolerance(self.machine):
                return piece
            reason = f"its gradients would be {f'off by {off:.0%}' if math.isfinite(off) else 'others'}"
        except Unsure:
            raise
        except Exception as error:  # a compiler's; one of the turn itself comes again in eager mode, and says more
            reason = _first_line(error)
        self._refuse(player, reason)
        return None

    def _refuse(self, player: str, reason: str) -> None:
        if player not in self._said:
            self._said.add(player)
            self._say(f"execution={self.how} does not do for the turns of {player}, which stay eager: {reason}")

    def _difference(self, piece: Body, body: Body, batch: Batch) -> float:
        """By how much the gradients of a piece differ from those of its body, as a share of these.

        All that is kept or drawn stays as it was.
        """
        device = self.game.device
        kept, drawn, found = Kept(self.game), default_state(device), []
        for each in (body, *[piece] * self.calls):
            try:
                _, _, gradients = each(batch)
                found.append([None if gradient is None else gradient.clone() for gradient in gradients])
            finally:
                kept.restore()
                restore_default(drawn, device)
            check_finite(found[0])  # before anything is compiled for it
        return gradients_apart(found[-1], found[0])

    def _body(self, player: str, parameters: Sequence[nn.Parameter]) -> Body:
        terms_of = self.terms

        def body(batch: Batch) -> tuple[Terms, Tensor, list[Tensor | None]]:
            terms = terms_of(player, batch)
            total = total_of(terms)
            gradients = torch.autograd.grad(total, parameters, allow_unused=True)
            return (
                {name: value.detach() for name, value in terms.items()},
                total.detach(),
                [None if gradient is None else gradient.detach() for gradient in gradients],
            )

        return body


def tolerance(machine: Machine) -> float:
    """By how much a gradient may differ from itself in other operations, as a share of its norm."""
    return CLOSELY if machine.dtype == torch.float32 else ROUGHLY


class Unsure(Exception):
    """Gradients are not finite, so that others cannot be compared with them."""


def check_finite(gradients: Sequence[Tensor | None]) -> None:
    """Raises Unsure where a gradient is not finite."""
    if not all(gradient.isfinite().all() for gradient in gradients if gradient is not None):
        raise Unsure


def gradients_apart(gradients: Sequence[Tensor | None], wanted: Sequence[Tensor | None]) -> float:
    """By how much gradients differ from those that are wanted, as a share of these; infinite where one is missing."""
    if [gradient is None for gradient in gradients] != [gradient is None for gradient in wanted]:
        return math.inf
    pairs = [(a, b) for a, b in zip(gradients, wanted, strict=True) if a is not None and b is not None]
    apart, norm = (nn.utils.get_total_norm(each) for each in ([a - b for a, b in pairs], [b for _, b in pairs]))
    return float(apart / norm.clamp_min(torch.finfo(norm.dtype).tiny))


def _add_gradients(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None], parts: int) -> None:
    """Adds gradients, divided by the number of parts, to those of parameters."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is None:
            continue
        if gradient.stride() != parameter.stride():  # fused optimizers take it that both lie alike in memory
            gradient = torch.empty_like(parameter).copy_(gradient)
        if parts > 1:
            gradient = gradient / parts
        parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


class Kept:
    """What a game's buffers are and hold, for `restore` to bring back, however they were changed."""

    def __init__(self, game: Game) -> None:
        self._of = [(module, dict(module._buffers)) for module in game.modules()]
        held = [buffer for _, buffers in self._of for buffer in buffers.values() if buffer is not None]
        self._values = [(buffer, buffer.clone()) for buffer in held]

    def restore(self) -> None:
        for module, buffers in self._of:
            module._buffers.clear()
            module._buffers.update(buffers)
        for buffer, value in self._values:
            buffer.copy_(value)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0]}" if str(error) else type(error).__name__
