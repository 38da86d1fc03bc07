"""How a turn's gradients are taken: one meaning, at several speeds. Eager is what all others must agree with."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from gantrain.data.cache import cache_folder
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.seeding import default_state, restore_default
from gantrain.shares import Share, playing
from gantrain.training.machine import Machine, is_convolutional
from gantrain.turns import Batch, TurnPlan

LONG = 30_000
"""Steps from which on compiling pays by itself: it takes about as long as so many steps of a small game save."""
WARM = 3
"""So often a turn is played before it is captured, so that whatever it makes at first lies where it stays."""
CLOSELY, ROUGHLY = 1e-3, 0.1
"""So far a gradient may be off, as a share of its norm, in float32 and where forwards are bf16."""

Terms = dict[str, Tensor]
Body = Callable[[Batch], tuple[Terms, list[Tensor | None]]]
"""A turn's named loss terms, detached, and the gradient of their sum by each parameter; None where it has none."""


def total_of(terms: Terms) -> Tensor:
    """What a player minimises, a scalar."""
    first, *others = terms.values()
    return torch.stack([first, *others]).sum() if others else first


class Eager:
    """Operation by operation."""

    def __init__(self, game: Game, machine: Machine) -> None:
        self.game, self.machine = game, machine

    def terms(self, player: str, batch: Batch) -> Terms:
        """A player's loss terms, forwards in the machine's precision."""
        with self.machine.autocast():
            return self.game.terms(player, batch)

    def backward(self, player: str, parameters: Sequence[nn.Parameter], batch: Batch, parts: int) -> Terms:
        """A player's loss terms in one of so many equal parts of a turn; their gradients are added to its parameters'.

        Those are the gradients of the sum of all terms, divided by the number of parts.
        """
        terms = self.terms(player, batch)
        total = total_of(terms)
        (total / parts if parts > 1 else total).backward()
        return {name: value.detach() for name, value in terms.items()}


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

    def backward(self, player: str, parameters: Sequence[nn.Parameter], batch: Batch, parts: int) -> Terms:
        if self.game.observing:  # who watches wants to look between the operations
            return super().backward(player, parameters, batch, parts)
        key = (player, batch.plan, playing())
        if key not in self._pieces:
            self._pieces[key] = self._made(player, self._body(player, parameters), batch)
        piece = self._pieces[key]
        if piece is None:
            return super().backward(player, parameters, batch, parts)
        try:
            terms, gradients = piece(batch)
        except Exception as error:  # of a compiler that began anew; one of the turn itself comes again, and says more
            self._pieces[key] = None
            self._refuse(player, _first_line(error))
            return super().backward(player, parameters, batch, parts)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is None:
                continue
            if gradient.stride() != parameter.stride():  # fused optimizers take it that both lie alike in memory
                gradient = torch.empty_like(parameter).copy_(gradient)
            if parts > 1:
                gradient = gradient / parts
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        return terms

    def _made(self, player: str, body: Body, batch: Batch) -> Body | None:
        """The body, faster, once it was seen to give what it gives in eager mode; else None, and why is said."""
        try:
            piece = self.piece(player, body)
            off = self._difference(piece, body, batch)
            if off <= (CLOSELY if self.machine.dtype == torch.float32 else ROUGHLY):
                return piece
            reason = f"its gradients would be off by {off:.0%}"
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
            _, gradients = each(batch)
            found.append([None if gradient is None else gradient.clone() for gradient in gradients])
            kept.restore()
            restore_default(drawn, device)
        eager, faster = found[0], found[-1]
        if [gradient is None for gradient in eager] != [gradient is None for gradient in faster]:
            return math.inf
        pairs = [(a, b) for a, b in zip(eager, faster, strict=True) if a is not None and b is not None]
        apart = nn.utils.get_total_norm([a - b for a, b in pairs])
        return float(apart / nn.utils.get_total_norm([a for a, _ in pairs]).clamp_min(torch.finfo(apart.dtype).tiny))

    def _body(self, player: str, parameters: Sequence[nn.Parameter]) -> Body:
        terms_of = self.terms

        def body(batch: Batch) -> tuple[Terms, list[Tensor | None]]:
            terms = terms_of(player, batch)
            gradients = torch.autograd.grad(total_of(terms), parameters, allow_unused=True)
            return (
                {name: value.detach() for name, value in terms.items()},
                [None if gradient is None else gradient.detach() for gradient in gradients],
            )

        return body


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


class Compiled(Faster):
    """By torch.compile, with the gradients inside; what is drawn is what eager turns draw.

    Args:
        say: is told, once for each player, that its turns cannot be compiled.
        backend: of torch.compile.
    """

    how = "compile"

    def __init__(self, game: Game, machine: Machine, say: Callable[[str], None], backend: str = "inductor") -> None:
        super().__init__(game, machine, say)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "compiled"))
        import torch._dynamo.config as tracing
        import torch._inductor.config as compiling

        if not hasattr(tracing, "trace_autograd_ops"):
            raise UserError("execution=compile needs a newer torch: use eager or auto")
        tracing.trace_autograd_ops = True  # gradients by samples are a part of some losses
        compiling.fallback_random = True  # the compiler's own numbers would be others than a seed means
        self._backend = backend

    def piece(self, player: str, body: Body) -> Body:
        # compiled code belongs to a code object, which all bodies would share
        own = FunctionType(body.__code__.replace(), body.__globals__, f"turn_of_{player}", None, body.__closure__)
        # in pieces, not `fullgraph`, it would silently lose gradients
        return torch.compile(own, fullgraph=True, dynamic=False, backend=self._backend)


class Captured(Faster):
    """As CUDA graphs, all in one pool of memory: a turn is one launch."""

    how = "graph"
    calls = WARM + 1

    def __init__(self, game: Game, machine: Machine, say: Callable[[str], None]) -> None:
        super().__init__(game, machine, say)
        self._pool = torch.cuda.graph_pool_handle()

    def piece(self, player: str, body: Body) -> Body:
        return Graph(body, self._pool)


class Graph:
    """A body that is captured once it was played a few times, and then replayed.

    What it gives is overwritten by the next turn.
    """

    def __init__(self, body: Body, pool: Any) -> None:
        self._body, self._pool = body, pool
        self._played = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batch) -> tuple[Terms, list[Tensor | None]]:
        if self._graph is None:
            if self._played < WARM:
                self._played += 1
                return self._aside(batch)
            self._inputs = batch.map(torch.clone)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, pool=self._pool):
                self._outputs = self._body(self._inputs)
        for mine, new in zip(self._inputs.tensors(), batch.tensors(), strict=True):
            mine.copy_(new)
        self._graph.replay()
        return self._outputs

    def _aside(self, batch: Batch) -> tuple[Terms, list[Tensor | None]]:
        """Played on a stream of its own, as what is captured later will be."""
        stream, main = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(main)
        with torch.cuda.stream(stream):
            found = self._body(batch)
        main.wait_stream(stream)
        return found


def choose_execution(
    word: str, game: Game, machine: Machine, steps: int, say: Callable[[str], None], devices: int = 1
) -> Eager:
    """How the gradients of a run of so many steps are taken, on each of so many devices.

    `auto` compiles long runs of networks without convolutions on a CPU where there is a compiler, and leaves all others
    eager: by a rule and never by a timing.

    Raises:
        UserError: what was asked for is not here.
    """
    if devices > 1:
        if word not in ("eager", "auto"):
            raise UserError(f"execution={word} is for one device, and here play {devices}: use eager or auto")
        return Eager(game, machine)
    if word == "graph":
        if machine.device.type != "cuda":
            raise UserError(
                f"execution=graph needs CUDA, and here is {machine.device.type}: use compile, eager or auto"
            )
        return Captured(game, machine, say)
    small = machine.device.type == "cpu" and not is_convolutional(game)
    if word == "compile" or (word == "auto" and small and steps >= LONG and can_compile()):
        return Compiled(game, machine, say)
    return Eager(game, machine)


def can_compile() -> bool:
    """Whether PyTorch can trace gradients, and there is a compiler of C++ for it to call."""
    import torch._dynamo.config as tracing

    if not hasattr(tracing, "trace_autograd_ops"):
        return False
    compilers = (os.environ.get("CXX"), "g++", "clang++", "cl" if os.name == "nt" else None)
    return any(shutil.which(name) for name in compilers if name)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0]}" if str(error) else type(error).__name__
