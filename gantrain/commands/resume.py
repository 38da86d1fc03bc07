"""`gantrain train run=…`: goes on with a run, or from one of its checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, SCMode

from gantrain.commands.assembly import config_of
from gantrain.commands.train import train
from gantrain.config import has_minutes_of_budget, parse, refuse_interpolations, validate
from gantrain.errors import UserError
from gantrain.report.console import Console
from gantrain.runs import JobFolder, RunFolder, load_checkpoint
from gantrain.training.ranks import ALONE, Ranks
from gantrain.training.state import Progress

MAY_CHANGE = (
    *("trainer.steps", "trainer.minutes", "trainer.device", "trainer.execution", "trainer.threads"),
    *("trainer.shard", "data_dir", "log", "checkpoint", "metrics.every"),
)
"""What may be set anew when a run goes on."""


def resume(
    path: Path, overrides: Sequence[str], console: Console, command: str, quiet: bool = False, ranks: Ranks = ALONE
) -> dict[str, float]:
    """Goes on with a run's folder, or from one of its checkpoint files; returns the final figures.

    A folder goes on from its last checkpoint that is whole, and begins anew where none was saved. From a file that is
    not the run's last, or that lies alone, it goes on in a new folder: nothing is lost.

    Raises:
        UserError: there is nothing to go on with, or an override would change what the run is.
    """
    folder, state = RunFolder.of(path), load_checkpoint(path) if path.is_file() else None
    last = folder.checkpoints.last_step()
    same = folder.has_config and (state is None or last == state["progress"]["step"])
    folder.status.refuse_if_running()
    with folder.status.owned() if same else nullcontext():
        if state is None and (folder.checkpoints.has_any or not same):
            state = folder.checkpoints.load_last(console.say, set_aside=same)
        if state is None:
            cfg = change(config_of({"config": folder.read_config()}, str(path)), overrides)
            console.say("nothing was saved yet: beginning anew")
            return train(cfg, console, command, folder, None, quiet, ranks)
        cfg, state = _to_go_on(folder, state, same, overrides, console)
        if same:
            return train(cfg, console, command, folder, state, quiet, ranks)
    folder = folder.fork(place_of_fork(folder, cfg), state)
    console.say(f"going on from {path} in a new folder")
    try:
        return train(cfg, console, command, folder, state, quiet, ranks)
    except BaseException:
        if not folder.has_config:  # it has not begun
            shutil.rmtree(folder.path)
        raise


def _to_go_on(
    folder: RunFolder, state: Mapping[str, Any], same: bool, overrides: Sequence[str], console: Console
) -> tuple[DictConfig, dict[str, Any]]:
    """The config and the checkpoint with which a run goes on, in the `same` folder or in another.

    Raises:
        UserError: it is over, or an override would change what the run is.
    """
    old = config_of(state, str(folder))
    cfg = change(old, overrides)
    progress = Progress.of(state["progress"], str(folder))
    if not same or folder.status.read().status == "finished":  # else its end may still owe an evaluation
        refuse_if_over(progress, cfg)
        progress.ended = None
    console.say(f"going on from step {progress.step:,}")
    if cfg.trainer.steps != old.trainer.steps:
        console.say(
            f"the learning-rate schedule now spans {cfg.trainer.steps:,} steps instead of {old.trainer.steps:,}"
        )
    return cfg, {**state, "progress": asdict(progress)}


def change(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """A run's config with the few things changed that may change.

    Raises:
        UserError: an override of anything else.
    """
    cfg.run = None
    parsed = parse(overrides)
    keys = {override.key_or_group for override in parsed}
    if not keys.isdisjoint(("trainer.steps", "trainer.minutes")):
        if "trainer.minutes" not in keys and has_minutes_of_budget(cfg.budget, cfg.choices.overrides):
            cfg.trainer.minutes = None
        cfg.budget = None  # it is used up, and says nothing of the length any more
    for override in parsed:
        key, word = override.key_or_group, override.input_line
        if not any(key == allowed or key.startswith(allowed + ".") for allowed in MAY_CHANGE):
            way_out = "give it trainer.minutes= or trainer.steps=" if key == "budget" else "start a new run instead"
            raise UserError(f"{key} cannot change when a run goes on (only {', '.join(MAY_CHANGE)}): {way_out}")
        if override.is_delete() or override.package is not None or override.is_sweep_override():
            raise UserError(f"{word}: when a run goes on, a setting takes one value, {key}=…")
        changed = OmegaConf.create(OmegaConf.to_container(cfg, structured_config_mode=SCMode.DICT))
        OmegaConf.update(changed, key, override.value(), merge=True, force_add=True)
        refuse_interpolations(OmegaConf.to_container(changed, resolve=False))
        cfg = validate(changed)  # type: ignore[arg-type]
        cfg.choices.overrides = [*cfg.choices.overrides, word]
    return cfg


def place_of_fork(folder: RunFolder, cfg: DictConfig) -> Path:
    """Beside the run, or the sweep that it is a job of.

    Of a checkpoint that lies alone, below ./outputs: a stranger's file does not say where.
    """
    beside = 4 if JobFolder(folder.path).is_job else 2  # sweeps/<name>/<time>/<job>, or <name>/<time>
    path = folder.path if len(folder.path.parts) > beside else folder.path.absolute()
    parent = path.parents[beside - 1] if folder.has_config else Path("outputs")
    return parent / (Path(cfg.name).name.strip(".") or "run")


def refuse_if_over(progress: Progress, cfg: DictConfig) -> None:
    """Raises UserError where a run with this config ends before its next step."""
    if progress.step >= cfg.trainer.steps:
        raise UserError(
            f"the run is at step {progress.step}, where trainer.steps={cfg.trainer.steps} ends it: set more"
        )
    if cfg.trainer.minutes and progress.seconds >= 60 * cfg.trainer.minutes:
        raise UserError(f"the run has had its trainer.minutes={cfg.trainer.minutes:g}: set more")
