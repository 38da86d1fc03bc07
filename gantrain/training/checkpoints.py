"""Checkpoints: whole or not there, tensors and plain values only."""

from __future__ import annotations

import os
import pickle
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.training.round import Player, Progress

FORMAT = 2


class Checkpoints:
    """The checkpoints of one run, named by their step as in `step_00001000.pt`: the last `keep` stay, and `best.pt`.

    `facts` are written into each: the config as YAML text and the tensors that belong to the data, so that one file
    alone is enough to sample from.
    """

    def __init__(self, folder: Path, keep: int, facts: Mapping[str, Any]) -> None:
        self.folder, self.keep, self.facts = folder, keep, dict(facts)

    def save(self, game: Game, players: Mapping[str, Player], progress: Progress) -> Path:
        """Writes to a temporary file, syncs, renames; then lets go of the oldest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"step_{progress.step:08d}.pt"
        state = {
            "format": FORMAT,
            "progress": asdict(progress),
            "game": game.state_dict(),
            "optimizers": {name: player.optimizer.state_dict() for name, player in players.items()},
            **self.facts,
        }
        partial = file.with_suffix(".part")
        with partial.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
        for old in steps_in(self.folder)[: -self.keep]:
            old.unlink()
        return file

    def mark_best(self, file: Path) -> None:
        """Keeps a copy as best.pt."""
        partial = self.folder / "best.part"
        shutil.copyfile(file, partial)
        partial.replace(self.folder / "best.pt")


def steps_in(folder: Path) -> list[Path]:
    """The numbered checkpoints, oldest first."""
    return sorted(f for f in folder.glob("step_*.pt") if re.fullmatch(r"step_\d{8,}\.pt", f.name))


def find(run: Path, which: str = "last") -> Path:
    """The checkpoint file of a run's folder: `last`, `best` or a step. A checkpoint file stands for itself.

    Raises:
        UserError: there is none.
    """
    if run.is_file():
        return run
    if not run.is_dir():
        raise UserError(f"there is no run {run}")
    held = steps_in(run / "checkpoints")
    if which == "last" and held:
        return held[-1]
    named = run / "checkpoints" / ("best.pt" if which == "best" else f"step_{which:>08}.pt")
    if named.is_file():
        return named
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
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise UserError(f"{file} is damaged or no checkpoint of gantrain: choose another with run=…") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
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
