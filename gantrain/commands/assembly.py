"""From a complete config to built objects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.optim import Optimizer

from gantrain.commands.evaluation import gives_labels
from gantrain.config import Execution, OnNonfinite, build, kind_of, metric_named, nearest, plain_config, validate
from gantrain.config.building import OPTIMIZER_RANGES
from gantrain.data import Source
from gantrain.errors import Mistyped, UserError
from gantrain.games import Game
from gantrain.losses import Objective
from gantrain.metrics import Metric
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.schedules import RateSchedule, Schedule, refuse_rate_schedule
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.sharded import is_sharded
from gantrain.training.state import Learner, number_at
from gantrain.training.stepping import without_compiler
from gantrain.tricks import RunPlan, Trick

SPEED_FLAGS = ("foreach", "fused", "capturable", "differentiable")
"""Of PyTorch's optimizers: not a question of what is learnt."""


def plain(node: DictConfig) -> Any:
    return OmegaConf.to_container(node, resolve=True)


def config_of(state: Mapping[str, Any], what: str) -> DictConfig:
    """The config in a checkpoint, which may be a stranger's: plain values only.

    Raises:
        UserError: it is no plain text, holds interpolations, or is no config.
    """
    cfg = validate(plain_config(state["config"], what))
    whole = all(isinstance(cfg[group], DictConfig) for group in ("dataset", "model", "loss", "optimizer"))
    if not whole or cfg.data.shape is None:
        raise UserError(f"the config in {what} is not whole: choose another checkpoint")
    return cfg


def build_game(cfg: DictConfig, to_train: bool = True, devices: int = 1) -> Game:
    """The game with its initial weights, on the CPU; the weights follow from the seed.

    Args:
        to_train: check what is planned too; sampling needs none of it, a metric of the user's own least of all.
        devices: how many play together.

    Raises:
        UserError: what was chosen does not fit together.
    """
    seed_default(mix(cfg.seed, Purpose.WEIGHTS), torch.device("cpu"))
    described = {"_target_": "gantrain.losses.Objective", **plain(cfg.loss)}
    brought = build(described.pop("tricks", None), "loss.tricks", Mapping[str, Trick] | None)
    loss = build(described, "loss", Objective, tricks=brought)
    tricks = build(plain(cfg.tricks), "tricks", Mapping[str, Trick])
    game: Game = build(plain(cfg.model), "model", Game, loss=loss, tricks=tricks)
    if not to_train:
        return game
    plan = _plan(cfg, game, devices)
    try:
        game.check(plan)
    except ValueError as error:
        raise UserError(str(error)) from error
    return game


def reuses_fakes(cfg: DictConfig, game: Game) -> bool:
    """Whether fakes are made once for both players, where `auto` leaves that open."""
    trainer = cfg.trainer
    if trainer.reuse_fakes != "auto":
        return trainer.reuse_fakes
    alone = trainer.accumulate == trainer.replicas == 1 and not trainer.shard
    on_cpu = trainer.device == "cpu" or (trainer.device == "auto" and not torch.cuda.is_available())
    eager = on_cpu and trainer.execution in (Execution.auto, Execution.eager)
    return alone and eager and trainer.on_nonfinite is not OnNonfinite.skip and game.without_reuse() is None


def _plan(cfg: DictConfig, game: Game, devices: int) -> RunPlan:
    if cfg.trainer.batch_size % (cfg.trainer.accumulate * devices):
        times = f" times trainer.accumulate={cfg.trainer.accumulate}" if cfg.trainer.accumulate > 1 else ""
        raise UserError(
            f"trainer.batch_size={cfg.trainer.batch_size} is the whole run's, and {devices} processes{times} cannot "
            f"share it equally: make it a multiple of {cfg.trainer.accumulate * devices}"
        )
    described = {name: metric_named(name, cfg.metrics) for name in cfg.metrics.use}
    there = {name: entry for name, entry in described.items() if entry or name in cfg.metrics.known}
    used = [build(entry, f"metrics.known.{name}", Metric) for name, entry in there.items()]
    tags = frozenset(f"metrics/{key}" for metric in used for key in metric.keys)
    all_known = all(metric.keys for metric in used)
    if all_known and cfg.metrics.best and cfg.metrics.best not in tags:
        have = f"metrics.use gives {', '.join(sorted(tags))}" if tags else "metrics.use names no metric"
        raise UserError(f"metrics.best={cfg.metrics.best} cannot be found: {have}")
    if cfg.metrics.best in {f"metrics/{key}" for metric in used for key in metric.neither}:
        raise UserError(
            f"metrics.best={cfg.metrics.best} is best at a value between, neither high nor low, so that it ranks no "
            "checkpoints: choose another figure"
        )
    samples = cfg.trainer.batch_size // cfg.trainer.accumulate
    return RunPlan(
        shape=list(cfg.data.shape),
        samples=samples,
        packs=samples * math.prod(cfg.data.shape) // math.prod(cfg.data.shown or cfg.data.shape),
        tags=tags if all_known else None,
        higher_is_better=frozenset(f"metrics/{key}" for metric in used for key in metric.higher_is_better),
        evaluate_every=cfg.metrics.every,
        parts=cfg.trainer.accumulate,
        devices=devices,
        reuses_fakes=reuses_fakes(cfg, game),
        shards=cfg.trainer.shard and devices > 1,
    )


def build_metrics(cfg: DictConfig, source: Source, game: Game) -> dict[str, Metric]:
    """The metrics in use.

    Raises:
        UserError: one is unknown, or cannot judge such data.
    """
    known, spaces, metrics = list(cfg.metrics.known), list(cfg.metrics.spaces), {}
    for name in cfg.metrics.use:
        described = metric_named(name, cfg.metrics)
        if described is None and name not in known:
            raise Mistyped(
                f"metrics.use: there is no metric {name}{nearest(name, known)} (one of: {', '.join(known)}; "
                f"those with a space also as <metric>_<space>, in one of: {', '.join(spaces)})"
            )
        metrics[name] = build(described, f"metrics.known.{name}", Metric)
        try:
            metrics[name].check(source)
        except ValueError as error:
            raise UserError(str(error)) from error
        space = getattr(metrics[name], "space", None)
        if space is not None and space.of_the_run:
            _check_health_only(name, metrics[name], cfg.metrics.best, game)
        if metrics[name].needs_classifier and not game.classifies:
            way_out = "take model=sgan, or model=infogan with codes of values, model.categorical=[10]; or leave it out"
            raise UserError(f"metric {name} needs a game with a classifier: {way_out}")
        if metrics[name].needs_labels and not gives_labels(game):
            raise UserError(f"metric {name} needs a game that gives samples labels, such as model=cgan: leave it out")
        if metrics[name].needs_domains and not game.pairs_domains:
            raise UserError(f"metric {name} needs a game of two domains, such as model=cyclegan: leave it out")
        if metrics[name].needs_cycles and "cycled" not in game.grid:
            raise UserError(f"metric {name} needs a game that goes there and back, model=cyclegan: leave it out")
        if metrics[name].needs_pairs and "real" not in game.compared:
            raise UserError(f"metric {name} needs a game that translates pairs, such as model=pix2pix: leave it out")
        if metrics[name].needs_captions and "caption" not in game.inputs:
            raise UserError(f"metric {name} needs a game that is told captions: take model=text2image, or leave it out")
        if metrics[name].needs_value and (reason := game.without_value()):
            raise UserError(f"metric {name} needs a game for one value, but {reason}: leave it out of metrics.use")
    return metrics


def _check_health_only(name: str, metric: Metric, best: str | None, game: Game) -> None:
    """Raises UserError where a metric in a space of the run's own networks cannot be measured, or is to be a result."""
    if not game.scores_samples_alone:
        raise UserError(f"metric {name} needs a game with one discriminator that judges samples alone: leave it out")
    if best in {f"metrics/{key}" for key in metric.keys}:
        raise UserError(
            f"metrics.best={best} is measured with the discriminator, which changes with every step: it tells of the "
            "run's health and ranks no checkpoints, choose another metric"
        )


def build_learners(cfg: DictConfig, game: Game) -> dict[str, Learner]:
    """Each player with its optimizer: the entry of its name, of its role, or the discriminator's.

    Weights that are frozen from the start stay so: they are no player's.

    Raises:
        UserError: there is no entry for a player, or all that it has is frozen.
    """
    entries = plain(cfg.optimizer)
    schedule = build(entries.get("schedule"), "optimizer.schedule", RateSchedule)
    learners = {}
    for name in dict.fromkeys(turn.player for turn in game.turns):
        words = (name, game.player(name).role.value, "discriminator")
        entry = next((word for word in words if word in entries), None)
        if entry is None:
            raise UserError(f"optimizer has no entry for the player {name}: add optimizer.{name}")
        parameters = [p for p in game.parameters_of(name) if p.requires_grad]
        if not parameters:
            raise UserError(f"all weights of the player {name} are frozen: leave some with requires_grad")
        optimizer, moving = _optimizer(entries[entry], f"optimizer.{entry}", parameters, game.device)
        learners[name] = Learner(name, parameters, optimizer, schedule, moving)
    _check_entries(entries, game)
    return learners


def _check_entries(entries: Mapping[str, Any], game: Game) -> None:
    """Raises UserError where an entry is no player's, nor a setting that entries share and a schedule moves."""
    own = ["schedule", *(word for player in game.players for word in (player.name, player.role.value))]
    shared = {setting for name in own if isinstance(entries.get(name), Mapping) for setting in entries[name]}
    for name in (name for name in entries if isinstance(entries[name], Mapping)):
        if name not in own and name not in shared:
            raise UserError(f"optimizer.{name}: the game has no player {name}{nearest(name, own)}")


def _optimizer(
    entry: Any, path: str, parameters: list[nn.Parameter], device: torch.device
) -> tuple[Optimizer, dict[str, Any]]:
    """An optimizer, and those of its settings that schedules move.

    Raises:
        Mistyped: the entry describes none.
    """
    kind_of(entry, path, Optimizer)
    for flag in (flag for flag in SPEED_FLAGS if flag in entry):
        raise UserError(f"{path}.{flag} is set by gantrain itself, as the device has it: leave it out")
    moving = {}
    for name, setting in entry.items():
        parts = setting if isinstance(setting, list) else [setting]
        if any(isinstance(part, Mapping) for part in parts):
            built = [build(part, f"{path}.{name}", Schedule) if isinstance(part, Mapping) else part for part in parts]
            moving[name] = built if isinstance(setting, list) else built[0]
            try:
                for part in built:
                    refuse_rate_schedule(part)
                within(OPTIMIZER_RANGES.get(name, NOT_NEGATIVE), **{name: moving[name]})
            except ValueError as error:
                raise Mistyped(f"{path}.{error}") from error
    start = {name: number_at(setting, 0, 1) for name, setting in moving.items()}
    start = {name: list(map(float, now)) if isinstance(now, tuple) else now for name, now in start.items()}
    fast = _fast_flags(entry["_target_"], device, any(map(is_sharded, parameters)))
    try:
        with without_compiler():
            return build({**entry, **start}, path, Optimizer, params=parameters, **fast), moving
    except UserError as error:  # no other choice helps
        raise Mistyped(str(error)) from error


def _fast_flags(target: str, device: torch.device, sharded: bool) -> dict[str, bool]:
    """One kernel for all parameters where the optimizer has it, else one for each kind of operation."""
    fused = ["torch.optim.Adam", "torch.optim.AdamW", *([] if sharded else ["torch.optim.SGD"])]
    if target in fused and device.type in ("cpu", "cuda"):
        return {"fused": True}
    return {"foreach": True} if target.startswith("torch.optim.") else {}
