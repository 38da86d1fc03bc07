"""Checkpoints: whole or not there, tensors and plain values only."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gantrain.errors import UserError
from gantrain.files import folder_in, read, refuse_link, replacing
from gantrain.games import Game
from gantrain.training.finite import forget_buffer
from gantrain.training.state import Player, Progress

FORMAT = 2
PARTS = {"config", "data", "progress", "game", "optimizers"}
FOLDER, BEST = "checkpoints", "best.pt"


class Checkpoints:
    """The checkpoints of one run, named by their step as in `step_00001000.pt`: the last `keep` stay, and `best.pt`.

    `facts` are written into each: the config as YAML text and the tensors that belong to the data, so that one file
    alone is enough to sample from.

    Raises:
        UserError: the run's folder `checkpoints` is a link.
    """

    def __init__(self, home: Path, keep: int, facts: Mapping[str, Any]) -> None:
        self.folder, self.keep, self.facts = folder_in(home, FOLDER), keep, dict(facts)
        for partial in self.folder.glob(".*.part"):  # what a killed run was writing
            partial.unlink()

    def save(self, game: Game, players: Mapping[str, Player], progress: Progress) -> Path:
        """Writes a state that was found good; then lets go of the oldest."""
        file = self.folder / f"step_{progress.step:08d}.pt"
        state = {
            "format": FORMAT,
            "progress": asdict(progress),
            "game": game.state_dict(),
            "optimizers": {name: player.optimizer.state_dict() for name, player in players.items()},
            **self.facts,
        }
        with replacing(file) as stream:
            torch.save(state, stream)
        for old in steps_in(self.folder)[: -self.keep]:
            old.unlink()
        return file

    def mark_best(self, file: Path) -> None:
        """Keeps a copy as best.pt."""
        with read(file) as source, replacing(self.folder / BEST) as stream:
            shutil.copyfileobj(source, stream)

    def best_figure(self, tag: str, step: int) -> float | None:
        """The figure for which best.pt was chosen, where there is one from no later than `step`."""
        file = refuse_link(self.folder / BEST)
        progress: dict[str, Any] = {}
        if file.is_file():
            with suppress(UserError):  # a damaged one gives way to the next
                progress = load(file)["progress"]
        figures = progress.get("figures") or {}
        return figures.get(tag) if progress.get("step", 0) <= step else None


def steps_in(folder: Path) -> list[Path]:
    """The numbered checkpoints, oldest first."""
    return sorted(f for f in folder.glob("step_*.pt") if re.fullmatch(r"step_\d{8,}\.pt", f.name))


def find(run: Path, which: str = "last") -> Path:
    """The checkpoint file of a run's folder: `last`, `best` or a step. A checkpoint file stands for itself.

    Raises:
        UserError: there is none, or it is a link.
    """
    if run.is_file():
        return run
    if not run.is_dir():
        raise UserError(f"there is no run {run}")
    folder = refuse_link(run / FOLDER)
    held = steps_in(folder)
    if which == "last" and held:
        return refuse_link(held[-1])
    named = folder / (BEST if which == "best" else f"step_{which:>08}.pt")
    if named.is_file():
        return refuse_link(named)
    have = ", ".join(str(int(f.stem[5:])) for f in held)
    raise UserError(
        f"{run} has no checkpoint {which!r}" + (f": it has the steps {have}" if have else ", nor any other")
    )


def load(file: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU.

    Raises:
        UserError: the file is no checkpoint of gantrain.
    """
    try:
        with read(file) as stream:
            state = torch.load(stream, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # whatever an unpickler makes of a stranger's bytes
        raise UserError(f"{file} is damaged or no checkpoint of gantrain: choose another with run=…") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT or not state.keys() >= PARTS:
        raise UserError(f"{file} is no checkpoint of this version of gantrain")
    return state


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


def go_back(file: Path, game: Game, players: Mapping[str, Player], progress: Progress) -> None:
    """Puts a run's own checkpoint back into its game, players and counters.

    The order of the data does not go back: what is played again sees other samples, and `rollbacks` makes it draw other
    numbers.
    """
    state = load(file)
    for name in game.state_dict().keys() - state["game"].keys():
        forget_buffer(game, name)
    load_game(game, state, "the run")
    load_optimizers(players, state)
    then = Progress(**state["progress"])
    progress.step, progress.best, progress.figures = then.step, then.best, then.figures
    progress.rollbacks += 1


def load_optimizers(players: Mapping[str, Player], state: Mapping[str, Any]) -> None:
    """Puts a checkpoint's optimizer states into players."""
    for name, saved in state["optimizers"].items():
        players[name].optimizer.load_state_dict(saved)
