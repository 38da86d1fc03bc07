"""What to do about a run that has left the numbers."""

from __future__ import annotations

import shlex

import torch
from omegaconf import DictConfig

from gantrain.training.loop import Run


def nonfinite_advice(run: Run, cfg: DictConfig) -> str:
    """What to change, and from where to start anew: a run that goes on keeps its rates and its precision."""
    entries = {name: entry for name, entry in cfg.optimizer.items() if isinstance(entry, DictConfig) and "lr" in entry}
    shared = cfg.optimizer.get("lr")
    if shared is not None and all(entry.lr == shared for entry in entries.values()):
        rates = {"optimizer.lr": shared}
    else:
        rates = {f"optimizer.{name}.lr": entry.lr for name, entry in entries.items()}
    for trick in run.rounds.game.tricks.each():
        rates |= {f"tricks.{trick.name}.{name}": getattr(trick, name) for name in trick.rates}
    rates = {key: value for key, value in rates.items() if isinstance(value, (int, float))}  # the others are schedules
    lower = ", such as " * bool(rates) + " ".join(f"{key}={value / 3:.2g}" for key, value in rates.items())
    exact = "" if run.rounds.machine.dtype == torch.float32 else ", perhaps with trainer.precision=fp32"
    good = run.checkpoints.files.last()
    start = f" from the last good checkpoint with {shlex.quote(f'init_from={good}')} and" if good else " with"
    return f"start anew{start} lower rates{lower}{exact}"
