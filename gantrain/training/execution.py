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
    if suited_execution(word, game, machine, steps) == "compile":
        return Compiled(game, machine, say)
    return Eager(game, machine)


def suited_execution(word: str, game: Game, machine: Machine, steps: int) -> str:
    """What an execution means for a run of so many steps on one device: eager, compile or graph."""
    if word != "auto":
        return word
    small = machine.device.type == "cpu" and not is_convolutional(game)
    return "compile" if small and steps >= LONG and can_compile() else "eager"


def can_compile() -> bool:
    """Whether PyTorch can trace gradients, and there is a compiler of C++ for it to call."""
    import torch._dynamo.config as tracing

    if not hasattr(tracing, "trace_autograd_ops"):
        return False
    compilers = (os.environ.get("CXX"), "g++", "clang++", "cl" if os.name == "nt" else None)
    return any(shutil.which(name) for name in compilers if name)
