"""`gantrain train`: one run, new or gone on with."""

from __future__ import annotations

import json
import os
import shutil
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, SCMode

from gantrain.building import build
from gantrain.commands.assembly import (
    build_game,
    build_metrics,
    build_players,
    config_of,
    evaluation_of,
    picture_maker,
    plain,
)
from gantrain.commands.dry import dry
from gantrain.config import data_folder, validate
from gantrain.data import Place
from gantrain.errors import Stopped, UserError
from gantrain.metrics import evaluate
from gantrain.networks.layers import samples_meet
from gantrain.overrides import parse
from gantrain.report.console import Console
from gantrain.report.recorder import Recorder
from gantrain.training import loop
from gantrain.training.checkpoints import Checkpoints, find, load, load_game, load_players, steps_in
from gantrain.training.loop import Every, Limits, Run
from gantrain.training.machine import choose_machine, set_threads
from gantrain.training.round import Progress, Round
from gantrain.trust import refuse_interpolations

MAY_CHANGE = (
    *("trainer.steps", "trainer.minutes", "trainer.device", "trainer.execution", "trainer.threads", "data_dir"),
    *("log", "checkpoint", "metrics.every"),
)
"""What may be set anew when a run goes on."""


def train(
    cfg: DictConfig,
    console: Console,
    folder: Path | None = None,
    state: dict[str, Any] | None = None,
    quiet: bool = False,
) -> dict[str, float]:
    """Runs a complete config; returns the final figures.

    Args:
        folder: of the run; by default a new one below outputs_dir.
        state: a checkpoint to go on from.
        quiet: leave out the closing hints.

    Raises:
        UserError: before anything is written.
        Stopped: by a signal, after saving.
        Exception: what failed while running; status.json says it too.
    """
    source = build(plain(cfg.dataset), "dataset")
    game = build_game(cfg)
    metrics = build_metrics(cfg, source, game)
    set_threads(cfg.trainer.threads, game)
    machine = choose_machine(cfg.trainer.device, cfg.trainer.precision.value, game)
    if cfg.trainer.batch_size // cfg.trainer.accumulate < 2 and samples_meet(game):
        raise UserError("batch norm and minibatch tricks need two samples at a time: set a larger trainer.batch_size")
    if cfg.init_from and state is None:
        load_players(game, load(find(Path(cfg.init_from).expanduser())), f"init_from={cfg.init_from}")
    if state is not None:
        load_game(game, state, "the run")
    machine.place(game)
    players = build_players(cfg, game)
    progress = Progress(**state["progress"]) if state else Progress()
    if progress.step >= cfg.trainer.steps:
        raise UserError(
            f"the run is at step {progress.step}, where trainer.steps={cfg.trainer.steps} ends it: set more"
        )
    if cfg.trainer.minutes and progress.seconds >= 60 * cfg.trainer.minutes:
        raise UserError(f"the run has had its trainer.minutes={cfg.trainer.minutes:g}: set more")
    for name, saved in state["optimizers"].items() if state else ():
        players[name].optimizer.load_state_dict(saved)

    place = Place(
        data_folder(cfg), machine.device, cfg.seed, cfg.trainer.data_budget, cfg.debug.overfit, say=console.say
    )
    batches = source.open(place)
    try:
        shape = list(cfg.data.shape)
        round = Round(
            game, players, batches, machine, cfg.seed, cfg.trainer.steps, cfg.trainer.batch_size, cfg.trainer.accumulate
        )
        if state is None:
            _begin(round)
        if cfg.debug.dry:
            return dry(round, console)
        look, real = picture_maker(game, batches, machine, cfg.seed, shape)
        folder = folder or fresh_folder(Path(cfg.outputs_dir).expanduser() / cfg.name)
        console.keep_in(folder)
        OmegaConf.save(cfg, folder / "config.yaml")
        _status(folder, "running")
        console.say(f"run: {folder}  ({machine})")
        recorder = Recorder(folder, progress.step)
        if real.size:
            recorder.real(real)
        better = {f"metrics/{key}" for metric in metrics.values() for key in metric.higher_is_better}
        limits = Limits(
            cfg.trainer.steps,
            cfg.trainer.minutes,
            Every(cfg.log.every),
            Every(cfg.log.samples_every),
            Every(cfg.log.histograms_every),
            Every(cfg.metrics.every),
            Every(cfg.checkpoint.every),
            cfg.metrics.best,
            cfg.metrics.best in better,
        )
        facts = {"config": OmegaConf.to_yaml(cfg), "data": dict(batches.facts)}
        checkpoints = Checkpoints(folder / "checkpoints", cfg.checkpoint.keep, facts)

        def judge() -> dict[str, float]:
            if not metrics:
                return {}
            at_once = cfg.trainer.batch_size // cfg.trainer.accumulate
            return evaluate(metrics, evaluation_of(game, source, machine, cfg.seed, place, at_once))

        run = Run(round, progress, limits, checkpoints, recorder, console, look, judge)
        try:
            figures = _guarded(run, folder, console)
            recorder.settings(_settings(cfg), figures or _totals(recorder))
        finally:
            recorder.close()
    finally:
        batches.close()
    if not quiet:
        say_what_next(folder, console)
    return figures


def resume(words: str, overrides: Sequence[str], console: Console, quiet: bool = False) -> dict[str, float]:
    """Goes on with a run's folder, or from one of its checkpoint files.

    From a checkpoint that is not the run's last, or that lies alone, it goes on in a new folder: nothing is lost.

    Raises:
        UserError: there is nothing to go on with, or an override would change what the run is.
    """
    path = Path(words).expanduser()
    file = find(path)
    state = load(file)
    old = config_of(state, str(file))
    steps = old.trainer.steps
    cfg = change(old, overrides)
    home = path if path.is_dir() else file.parent.parent
    _refuse_if_running(home)
    step = state["progress"]["step"]
    last = steps_in(home / "checkpoints")[-1:] == [home / "checkpoints" / f"step_{step:08d}.pt"]
    if not (last and (home / "config.yaml").is_file()):
        lone = not (home / "config.yaml").is_file()  # a stranger's file has no say in where things are written
        fork = fresh_folder((Path("outputs") if lone else home.parent.parent) / Path(cfg.name).name)
        if (home / "metrics.jsonl").is_file():
            shutil.copyfile(home / "metrics.jsonl", fork / "metrics.jsonl")
        console.say(f"going on from {file} in a new folder")
        home = fork
    console.say(f"going on from step {step:,}")
    if cfg.trainer.steps != steps:
        console.say(f"the learning-rate schedule now spans {cfg.trainer.steps:,} steps instead of {steps:,}")
    try:
        return train(cfg, console, home, state, quiet)
    except UserError:
        if not (home / "config.yaml").exists():
            shutil.rmtree(home)
        raise


def change(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """A run's config with the few things changed that may change.

    Raises:
        UserError: an override of anything else.
    """
    cfg.run = None
    for override in parse(overrides):
        key, word = override.key_or_group, override.input_line
        if not any(key == allowed or key.startswith(allowed + ".") for allowed in MAY_CHANGE):
            raise UserError(
                f"{key} cannot change when a run goes on (only {', '.join(MAY_CHANGE)}): start a new run instead"
            )
        if override.is_delete() or override.package is not None or override.is_sweep_override():
            raise UserError(f"{word}: when a run goes on, a setting takes one value, {key}=…")
        changed = OmegaConf.create(OmegaConf.to_container(cfg, structured_config_mode=SCMode.DICT))
        OmegaConf.update(changed, key, override.value(), merge=True, force_add=True)
        refuse_interpolations(OmegaConf.to_container(changed, resolve=False))
        cfg = validate(changed)  # type: ignore[arg-type]
    return cfg


def fresh_folder(parent: Path) -> Path:
    """Makes <parent>/<time>, with a number behind it where that is taken, so that no two runs share a folder."""
    parent.mkdir(parents=True, exist_ok=True)
    stamp, number = time.strftime("%Y-%m-%d_%H-%M-%S"), 1
    while True:
        folder = parent / (stamp if number == 1 else f"{stamp}_{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def _refuse_if_running(home: Path) -> None:
    file = home / "status.json"
    status = json.loads(file.read_text()) if file.is_file() else {}
    if status.get("status") != "running" or status.get("pid") in (None, os.getpid()):
        return
    try:
        os.kill(status["pid"], 0)
    except OSError:
        return
    raise UserError(f"{home} is being trained by process {status['pid']}: stop it first, or remove {file} if it is not")


def say_what_next(folder: Path, console: Console) -> None:
    console.say(f"look    {folder / 'samples' / 'final.png'}")
    console.say(f"curves  tensorboard --logdir {folder}")
    console.say(f"sample  gantrain sample run={folder} n=64")
    console.say(f"go on   gantrain run={folder} trainer.steps=…")


def _guarded(run: Run, folder: Path, console: Console) -> dict[str, float]:
    """The loop, with status.json telling how it ended."""
    try:
        figures = loop.train(run)
    except Stopped:
        _status(folder, "stopped", "a signal")
        console.say(f"saved at step {run.progress.step:,}; go on with: gantrain run={folder}")
        raise
    except BaseException as error:
        _status(folder, "failed", f"{type(error).__name__}: {error}")
        console.note(traceback.format_exc())
        raise
    _status(folder, "finished")
    return figures


def _status(folder: Path, status: str, reason: str | None = None) -> None:
    partial = folder / "status.part"
    partial.write_text(json.dumps({"status": status, "reason": reason, "pid": os.getpid()}))
    partial.replace(folder / "status.json")


def _totals(recorder: Recorder) -> dict[str, float]:
    return {tag: value for tag, value in recorder.latest.items() if tag.endswith("/total")}


def _settings(cfg: DictConfig) -> dict[str, Any]:
    """Every chosen value by its dotted name."""
    found: dict[str, Any] = {}

    def walk(node: Any, path: str) -> None:
        for key, value in node.items() if isinstance(node, dict) else ():
            if isinstance(value, dict):
                walk(value, f"{path}{key}.")
            elif value is not None:
                found[f"{path}{key}"] = value

    chosen = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    assert isinstance(chosen, dict)
    groups = ("seed", "trainer", "optimizer", "model", "loss", "tricks", "dataset")
    walk({key: value for key, value in chosen.items() if key in groups}, "")
    return found


def _begin(round: Round) -> None:
    try:
        round.begin()
    except ValueError as error:
        raise UserError(str(error)) from error
