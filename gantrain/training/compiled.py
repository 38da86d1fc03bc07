"""Turns as compiled code."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from types import FunctionType

import torch
from torch import Tensor

from gantrain.data.cache import cache_folder
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.training.eager import Terms
from gantrain.training.machine import Machine
from gantrain.training.pieces import Body, Faster
from gantrain.turns import Batch


class Compiled(Faster):
    """By torch.compile, with the gradients inside; what is drawn is what eager turns draw.

    Args:
        say: is told, once for each player, that its turns cannot be compiled.
        backend: of torch.compile.
    """

    how = "compile"
    notice = "turns are compiled as they come: up to a minute the first time, seconds once the code is in the cache"

    def __init__(self, game: Game, machine: Machine, say: Callable[[str], None], backend: str = "inductor") -> None:
        super().__init__(game, machine, say)
        self._trust = Trust()
        # a PyTorch that was built for CUDA would warn on every computer without
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "compiled"))
        import torch._dynamo.config as tracing
        import torch._inductor.config as compiling

        if not hasattr(tracing, "trace_autograd_ops"):
            raise UserError("execution=compile needs a newer torch: use eager or auto")
        tracing.trace_autograd_ops = True  # gradients by samples are a part of some losses
        compiling.fallback_random = True  # the compiler's own numbers would be others than a seed means
        self._backend = backend

    def __str__(self) -> str:
        return ", compiled"

    def piece(self, player: str, body: Body) -> Body:
        # compiled code belongs to a code object, which all bodies would share
        own = FunctionType(body.__code__.replace(), body.__globals__, f"turn_of_{player}", None, body.__closure__)
        # in pieces, not `fullgraph`, it would silently lose gradients
        compiled = torch.compile(own, fullgraph=True, dynamic=False, backend=self._backend)
        return Guarded(compiled, self._trust) if _is_known(self.game) else compiled

    def check_again(self) -> None:
        self._trust.begin_anew()


class Trust:
    """Until when a compiled turn need not look again whether it is still what was compiled.

    Such looks take a tenth of a small turn. A turn that leaves all that it looks at as it was will do so again: what it
    does follows from just that. So after something else was done, each kind of turn looks until all kinds were played
    and nothing was compiled anew.
    """

    def __init__(self) -> None:
        self.changes = self.beginnings = 0

    def begin_anew(self) -> None:
        """Something else than compiled turns was done."""
        self.changes += 1
        self.beginnings += 1


def _is_known(game: Game) -> bool:
    """Whether all that plays is gantrain's or PyTorch's own: another's may keep a plain number that moves by itself."""
    played = [*game.modules(), *game.tricks.each(), game.loss, game.loss.adversarial, *game.loss.penalties.values()]
    return all(type(part).__module__.partition(".")[0] in ("gantrain", "torch") for part in played)


class Guarded:
    """A compiled body that looks at its guards where it must."""

    def __init__(self, compiled: Body, trust: Trust) -> None:
        self._compiled, self._trust = compiled, trust
        self._looked_at = self._first_of = -1

    def __call__(self, batch: Batch) -> tuple[Terms, Tensor, list[Tensor | None]]:
        trust = self._trust
        if self._looked_at == trust.changes:
            with torch.compiler.set_stance("default", skip_guard_eval_unsafe=True):
                return self._compiled(batch)
        from torch._dynamo.utils import counters

        graphs = counters["stats"]["unique_graphs"]
        found = self._compiled(batch)
        if self._first_of == trust.beginnings and counters["stats"]["unique_graphs"] == graphs:
            self._looked_at = trust.changes
        else:
            self._first_of = trust.beginnings
            trust.changes += 1
        return found
