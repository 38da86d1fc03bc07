"""How a turn is played: one meaning, at several speeds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.training.captured import Captured
from gantrain.training.compiled import Compiled
from gantrain.training.eager import Eager
from gantrain.training.machine import Machine, is_convolutional

LONG = 30_000
"""Steps from which on compiling pays by itself: it takes about as long as so many steps of a small game save."""
COMPILING = 300.0
"""Seconds below which a run is too short for that: it can take a minute."""


def choose_execution(word: str, game: Game, machine: Machine, say: Callable[[str], None], devices: int = 1) -> Eager:
    """How gradients are taken, eager, compile or graph, on each of so many devices.

    Raises:
        UserError: what was asked for is not here.
    """
    if devices > 1 and word != "eager":
        raise UserError(f"execution={word} is for one device, and here play {devices}: use eager or auto")
    if word == "graph":
        if machine.device.type != "cuda":
            raise UserError(
                f"execution=graph needs CUDA, and here is {machine.device.type}: use compile, eager or auto"
            )
        return Captured(game, machine, say)
    return Compiled(game, machine, say) if word == "compile" else Eager(game, machine)


def is_long(steps: int, minutes: float | None) -> bool:
    """Whether compiling can pay in a run of so many steps, and minutes at most."""
    return steps >= LONG and (minutes is None or 60 * minutes >= COMPILING)


def suits_compiling(game: Game, machine: Machine, parts: int = 1) -> bool:
    """Whether compiling pays in a long run on one device, which plays its turns in so many parts.

    So it is on a CPU without convolutions, where there is a compiler, and where few pieces do: each plan of a trick's
    own, such as another k of topk, and each part of a turn is compiled by itself.
    """
    few = parts == 1 and not game.tricks.with_hook("plan")
    return few and machine.device.type == "cpu" and not is_convolutional(game) and can_compile()


def can_compile() -> bool:
    """Whether PyTorch can trace gradients, and there is a compiler of C++ for it to call."""
    import torch._dynamo.config as tracing

    if not hasattr(tracing, "trace_autograd_ops"):
        return False
    compilers = (os.environ.get("CXX"), "g++", "clang++", "cl" if os.name == "nt" else None)
    return any(shutil.which(name) for name in compilers if name)
