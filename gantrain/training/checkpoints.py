"""What a checkpoint holds: made from a game and its players, and put back into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.runs import CheckpointFiles
from gantrain.training.finite import forget_buffer
from gantrain.training.state import Learner, Progress
from gantrain.training.stepping import without_compiler


class Checkpoints:
    """Saves one run's state: the last `keep` stay, and the best.

    `facts` are written into each: the config as YAML text and the tensors that belong to the data, so that one file
    alone is enough to sample from.

    Raises:
        UserError: the run's folder `checkpoints` is a link.
    """

    def __init__(self, files: CheckpointFiles, keep: int, facts: Mapping[str, Any]) -> None:
        self.files, self.keep, self.facts = files, keep, dict(facts)
        files.make()

    def save(self, game: Game, learners: Mapping[str, Learner], progress: Progress) -> Path:
        """Writes a state that was found good; then lets go of the oldest."""
        with without_compiler():
            optimizers = {name: learner.optimizer.state_dict() for name, learner in learners.items()}
        state = {"progress": asdict(progress), "game": game.state_dict(), "optimizers": optimizers, **self.facts}
        return self.files.save(state, progress.step, self.keep)


def load_players(game: Game, state: Mapping[str, Any], what: str) -> None:
    """Puts the players' weights of a checkpoint into a new game; averages start from them, tricks start anew.

    Raises:
        UserError: they do not fit.
    """
    current = {k: v for k, v in game.state_dict().items() if k.startswith(("averages.", "tricks."))}
    players = {k: v for k, v in state["game"].items() if not k.startswith(("averages.", "tricks."))}
    load_game(game, {"game": {**players, **current}}, what)
    for name, average in game.averages.items():
        average.load_state_dict(game.get_submodule(name).state_dict())


def load_game(game: Game, state: Mapping[str, Any], what: str) -> None:
    """Puts a checkpoint's weights into a game.

    Raises:
        UserError: they do not fit.
    """
    weights: Mapping[str, Tensor] = state["game"]
    try:
        game.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).splitlines()[1].split())[:200] if "\n" in str(error) else str(error)
        raise UserError(f"the weights of {what} do not fit this model: {reason}") from error


def go_back(state: Mapping[str, Any], game: Game, learners: Mapping[str, Learner], progress: Progress) -> None:
    """Puts a run's own checkpoint back into its game, players and counters.

    The order of the data does not go back: what is played again sees other samples, and `rollbacks` makes it draw other
    numbers.
    """
    for name in game.state_dict().keys() - state["game"].keys():
        forget_buffer(game, name)
    load_game(game, state, "the run")
    load_optimizers(learners, state)
    then = Progress(**state["progress"])
    progress.step, progress.best, progress.figures = then.step, then.best, then.figures
    progress.rollbacks += 1


def load_optimizers(learners: Mapping[str, Learner], state: Mapping[str, Any]) -> None:
    """Puts a checkpoint's optimizer states into learners, each tensor in its parameter's order in memory.

    A fused kernel goes through both side by side, and the machine that saved it may have had another order.
    """
    with without_compiler():
        for name, saved in state["optimizers"].items():
            learners[name].optimizer.load_state_dict(saved)
    for learner in learners.values():
        for parameter, kept in learner.optimizer.state.items():
            for key, value in kept.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    kept[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
