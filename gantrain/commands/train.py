"""`gantrain train`: one run, new or gone on with."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, SCMode
from torch import Tensor

from gantrain.building import build
from gantrain.commands.assembly import (
    EVALUATION,
    build_game,
    build_metrics,
    build_players,
    config_of,
    draw,
    evaluation_of,
    picture_maker,
    plain,
)
from gantrain.commands.cure import cure
from gantrain.commands.dry import dry
from gantrain.commands.folders import CONFIG, JSONL, fresh_folder, refuse_if_running, status_of, write_status
from gantrain.config import data_folder, validate
from gantrain.data import Place
from gantrain.errors import Stopped, UserError
from gantrain.files import read_text, write_text
from gantrain.games import Request
from gantrain.metrics import evaluate
from gantrain.networks.layers import samples_meet
from gantrain.overrides import parse
from gantrain.report.console import Console
from gantrain.report.recorder import Recorder
from gantrain.schema import OnNonfinite
from gantrain.training import loop
from gantrain.training.checkpoints import (
    FOLDER,
    Checkpoints,
    find,
    load,
    load_game,
    load_optimizers,
    load_players,
    steps_in,
)
from gantrain.training.finite import NotFinite
from gantrain.training.loop import Every, Limits, Run
from gantrain.training.machine import choose_machine, set_threads
from gantrain.training.round import Round
from gantrain.training.state import Progress
from gantrain.trust import refuse_interpolations

MAY_CHANGE = (
    *("trainer.steps", "trainer.minutes", "trainer.device", "trainer.execution", "trainer.threads", "data_dir"),
    *("log", "checkpoint", "metrics.every"),
)
"""What may be set anew when a run goes on."""
ROLLBACKS = 5
"""How often trainer.on_nonfinite=rollback goes back."""
PROBED = 16
"""Samples that are looked at before a checkpoint is called good."""


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
    if state is not None:
        load_optimizers(players, state)

    place = Place(
        data_folder(cfg), machine.device, cfg.seed, cfg.trainer.data_budget, cfg.debug.overfit, say=console.say
    )
    batches = source.open(place)
    try:
        shape, wanted = list(cfg.data.shape), cfg.trainer.on_nonfinite
        sizes = (cfg.trainer.steps, cfg.trainer.batch_size, cfg.trainer.accumulate)
        round = Round(game, players, batches, machine, cfg.seed, *sizes, skip=wanted is OnNonfinite.skip)
        if state is None:
            _begin(round)
        if cfg.debug.dry:
            return dry(round, console)
        look, real = picture_maker(game, batches, machine, cfg.seed, shape)
        for metric in metrics.values():
            metric.prepare(source, place)
        folder = folder or fresh_folder(Path(cfg.outputs_dir).expanduser() / cfg.name)
        console.keep_in(folder)
        facts = {"config": OmegaConf.to_yaml(cfg), "data": dict(batches.facts)}
        checkpoints = Checkpoints(folder, cfg.checkpoint.keep, facts)
        recorder = Recorder(folder, progress.step)
        write_text(folder / CONFIG, OmegaConf.to_yaml(cfg))
        write_status(folder, "running")
        console.say(f"run: {folder}  ({machine})")
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
            ROLLBACKS if wanted is OnNonfinite.rollback else 0,
        )

        def judge() -> dict[str, float]:
            if not metrics:
                return {}
            at_once = cfg.trainer.batch_size // cfg.trainer.accumulate
            return evaluate(metrics, evaluation_of(game, source, machine, cfg.seed, place, at_once))

        def probe() -> Tensor:
            return draw(game, machine, Request(PROBED), cfg.seed, EVALUATION)["samples"]

        run = Run(round, progress, limits, checkpoints, recorder, console, look, judge, probe)
        try:
            figures = _guarded(run, cfg, folder, console)
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
    refuse_if_running(home)
    progress = Progress(**state["progress"])
    last = steps_in(home / FOLDER)[-1:] == [home / FOLDER / f"step_{progress.step:08d}.pt"]
    same = last and (home / CONFIG).is_file()
    if not same or status_of(home).get("status") == "finished":  # else its end may still owe an evaluation
        _refuse_if_over(progress, cfg)
        progress.ended = None
    if not same:
        past = read_text(home / JSONL) if (home / JSONL).is_file() else ""
        lone = not (home / CONFIG).is_file()  # a stranger's file has no say in where things are written
        fork = fresh_folder(
            (Path("outputs") if lone else home.parent.parent) / (Path(cfg.name).name.strip(".") or "run")
        )
        write_text(fork / JSONL, past)
        console.say(f"going on from {file} in a new folder")
        home = fork
    console.say(f"going on from step {progress.step:,}")
    if cfg.trainer.steps != steps:
        console.say(f"the learning-rate schedule now spans {cfg.trainer.steps:,} steps instead of {steps:,}")
    try:
        return train(cfg, console, home, {**state, "progress": asdict(progress)}, quiet)
    except Exception:
        if not (home / CONFIG).exists():
            shutil.rmtree(home)
        raise


def _refuse_if_over(progress: Progress, cfg: DictConfig) -> None:
    if progress.step >= cfg.trainer.steps:
        raise UserError(
            f"the run is at step {progress.step}, where trainer.steps={cfg.trainer.steps} ends it: set more"
        )
    if cfg.trainer.minutes and progress.seconds >= 60 * cfg.trainer.minutes:
        raise UserError(f"the run has had its trainer.minutes={cfg.trainer.minutes:g}: set more")


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


def say_what_next(folder: Path, console: Console) -> None:
    console.say(f"look    {folder / 'samples' / 'final.png'}")
    console.say(f"curves  tensorboard --logdir {folder}")
    console.say(f"sample  gantrain sample run={folder} n=64")
    console.say(f"go on   gantrain run={folder} trainer.steps=…")


def _guarded(run: Run, cfg: DictConfig, folder: Path, console: Console) -> dict[str, float]:
    """The loop, with status.json telling how it ended."""
    try:
        figures = loop.train(run)
    except Stopped:
        write_status(folder, "stopped", "a signal")
        console.say(f"saved at step {run.progress.step:,}; go on with: gantrain run={folder}")
        raise
    except BaseException as error:
        if isinstance(error, NotFinite):
            error = NotFinite(f"{error}: {cure(run, cfg, folder)}")
        write_status(folder, "failed", f"{type(error).__name__}: {error}")
        console.note("".join(traceback.format_exception(error)))
        raise error from None
    write_status(folder, "finished")
    return figures


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
