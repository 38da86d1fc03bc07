"""What to do about a run that has left the numbers."""

from __future__ import annotations

import shlex
from pathlib import Path

import torch
from omegaconf import DictConfig

from gantrain.training.checkpoints import FOLDER, steps_in
from gantrain.training.loop import Run


def cure(run: Run, cfg: DictConfig, folder: Path) -> str:
    """What to change, and from where to start anew: a run that goes on keeps its rates and its precision."""
    entries = {name: entry for name, entry in cfg.optimizer.items() if isinstance(entry, DictConfig) and "lr" in entry}
    shared = cfg.optimizer.get("lr")
    if shared is not None and all(entry.lr == shared for entry in entries.values()):
        rates = {"optimizer.lr": shared}
    else:
        rates = {f"optimizer.{name}.lr": entry.lr for name, entry in entries.items()}
    for trick in run.round.game.each_trick():
        rates |= {f"tricks.{trick.name}.{name}": getattr(trick, name) for name in trick.rates}
    lower = ", such as " * bool(rates) + " ".join(f"{key}={value / 3:.2g}" for key, value in rates.items())
    exact = "" if run.round.machine.dtype == torch.float32 else ", perhaps with trainer.precision=fp32"
    saved = steps_in(folder / FOLDER)
    good = f" from the last good checkpoint with {shlex.quote(f'init_from={saved[-1]}')} and" if saved else " with"
    return f"start anew{good} lower rates{lower}{exact}"
