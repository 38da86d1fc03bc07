"""From a complete config to built objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.optim import Optimizer

from gantrain.building import build, kind_of
from gantrain.config import validate
from gantrain.data import Batches, Place, Source
from gantrain.errors import UserError
from gantrain.games import Game, Request
from gantrain.losses import Objective
from gantrain.metrics import Evaluation, Metric
from gantrain.overrides import nearest
from gantrain.report.pictures import picture
from gantrain.seeding import mix, seed_default
from gantrain.training.machine import Machine
from gantrain.training.schedules import Schedule
from gantrain.training.state import Player
from gantrain.tricks import Plan, Trick
from gantrain.trust import plain_config

EVALUATION, PICTURES, SAMPLES, WEIGHTS = 3, 4, 5, 6
"""What a seed is used for besides turns (0) and the data (1, 2): the second number that is mixed into it."""


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


def build_game(cfg: DictConfig, to_train: bool = True) -> Game:
    """The game with its initial weights, on the CPU; the weights follow from the seed.

    Args:
        to_train: check what is planned too; sampling needs none of it, a metric of the user's own least of all.

    Raises:
        UserError: what was chosen does not fit together.
    """
    seed_default(mix(cfg.seed, WEIGHTS), torch.device("cpu"))
    described = {"_target_": "gantrain.losses.Objective", **plain(cfg.loss)}
    brought = build(described.pop("tricks", None), "loss.tricks", Mapping[str, Trick] | None)
    loss = build(described, "loss", Objective, tricks=brought)
    tricks = build(plain(cfg.tricks), "tricks", Mapping[str, Trick])
    game: Game = build(plain(cfg.model), "model", Game, loss=loss, tricks=tricks)
    if not to_train:
        return game
    plan = _plan(cfg)
    try:
        game.check(plan)
    except ValueError as error:
        raise UserError(str(error)) from error
    return game


def _plan(cfg: DictConfig) -> Plan:
    known = plain(cfg.metrics.known)
    kinds = [kind_of(known[name], f"metrics.known.{name}", Metric) for name in cfg.metrics.use if name in known]
    tags = frozenset(f"metrics/{key}" for kind in kinds for key in kind.keys)
    all_known = all(kind.keys for kind in kinds)
    if all_known and cfg.metrics.best and cfg.metrics.best not in tags:
        have = f"metrics.use gives {', '.join(sorted(tags))}" if tags else "metrics.use names no metric"
        raise UserError(f"metrics.best={cfg.metrics.best} cannot be found: {have}")
    samples = cfg.trainer.batch_size // cfg.trainer.accumulate
    return Plan(
        shape=list(cfg.data.shape),
        samples=samples,
        judged=samples * math.prod(cfg.data.shape) // math.prod(cfg.data.shown or cfg.data.shape),
        tags=tags if all_known else None,
        higher_is_better=frozenset(f"metrics/{key}" for kind in kinds for key in kind.higher_is_better),
        evaluate_every=cfg.metrics.every,
        parts=cfg.trainer.accumulate,
    )


def build_metrics(cfg: DictConfig, source: Source, game: Game) -> dict[str, Metric]:
    """The metrics in use.

    Raises:
        UserError: one is unknown, or cannot judge such data.
    """
    known = plain(cfg.metrics.known)
    metrics = {}
    for name in cfg.metrics.use:
        if name not in known:
            raise UserError(
                f"metrics.use: there is no metric {name}{nearest(name, list(known))} (one of: {', '.join(known)})"
            )
        metrics[name] = build(known[name], f"metrics.known.{name}", Metric)
        try:
            metrics[name].check(source)
        except ValueError as error:
            raise UserError(str(error)) from error
        if metrics[name].needs_classifier and not game.classifies:
            raise UserError(f"metric {name} needs a game with a classifier, such as model=sgan: leave it out")
    return metrics


def build_players(cfg: DictConfig, game: Game) -> dict[str, Player]:
    """Each player with its optimizer: the entry of its name, of what its name begins with, or the discriminator's.

    Weights that are frozen from the start stay so: they are no player's.

    Raises:
        UserError: there is no entry for a player, or all that it has is frozen.
    """
    entries = plain(cfg.optimizer)
    schedule = build(entries.get("schedule"), "optimizer.schedule", Schedule)
    players = {}
    for name in dict.fromkeys(turn.player for turn in game.turns):
        family = (name, name.partition("_")[0], "discriminator")
        entry = next((e for e in family if e in entries), None)
        if entry is None:
            raise UserError(f"optimizer has no entry for the player {name}: add optimizer.{name}")
        path = f"optimizer.{entry}"
        parameters = [p for p in game.parameters_of(name) if p.requires_grad]
        if not parameters:
            raise UserError(f"all weights of the player {name} are frozen: leave some with requires_grad")
        kind_of(entries[entry], path, Optimizer)
        for flag in (flag for flag in SPEED_FLAGS if flag in entries[entry]):
            raise UserError(f"{path}.{flag} is set by gantrain itself, as the device has it: leave it out")
        fast = _fast_flags(entries[entry]["_target_"], game.device)
        optimizer = build(entries[entry], path, Optimizer, params=parameters, **fast)
        players[name] = Player(name, parameters, optimizer, schedule)
    _check_entries(entries, players)
    return players


def _check_entries(entries: Mapping[str, Any], players: Collection[str]) -> None:
    """Whether each entry is a player's; what is no entry is a number that entries may share."""
    own = ["schedule", "discriminator", *players, *(name.partition("_")[0] for name in players)]
    for name in (name for name in entries if isinstance(entries[name], Mapping) and name not in own):
        raise UserError(f"optimizer.{name}: the game has no player {name}{nearest(name, own)}")


def _fast_flags(target: str, device: torch.device) -> dict[str, bool]:
    """One kernel for all parameters where the optimizer has it, else one for each kind of operation."""
    if target in ("torch.optim.Adam", "torch.optim.AdamW", "torch.optim.SGD") and device.type in ("cpu", "cuda"):
        return {"fused": True}
    return {"foreach": True} if target.startswith("torch.optim.") else {}


def judge_of(game: Game, machine: Machine) -> Callable[[Tensor], Tensor] | None:
    """Samples on the CPU to the logits of the only discriminator; None where it judges no sample by itself."""
    if len(game.discriminators) != 1 or game.told:
        return None
    discriminator = game.get_submodule(game.discriminators[0])
    if any(getattr(part, "samples_meet", False) for part in game.modules()):
        return None

    @torch.no_grad()
    def judge(x: Tensor) -> Tensor:
        training = discriminator.training
        discriminator.eval()
        logits = discriminator(x.to(machine.device)).float().cpu()
        discriminator.train(training)
        return logits

    return judge


def draw(
    game: Game, machine: Machine, request: Request, seed: int, purpose: int, at_once: int = 500
) -> dict[str, Tensor]:
    """What is asked for, on the CPU: "samples" (n, *shape) float32 and what is known about them.

    The same for the same seed, purpose and request.
    """
    seed_default(mix(seed, purpose), machine.device)
    parts = []
    with machine.autocast():
        for start in range(0, request.n, at_once):
            here = slice(start, min(start + at_once, request.n))
            latent = {name: values[here] for name, values in request.latent.items()}
            inputs = None if request.inputs is None else request.inputs[here]
            parts.append(game.sample(Request(here.stop - here.start, latent, inputs)))
    return {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}


def evaluation_of(game: Game, source: Source, machine: Machine, seed: int, place: Place, at_once: int) -> Evaluation:
    """What metrics are given; the classifier sees `at_once` samples, as in training, for a trick may let them meet."""

    def samples(n: int) -> Tensor:
        return draw(game, machine, Request(n), seed, EVALUATION)["samples"]

    @torch.no_grad()
    def classify(x: Tensor) -> Tensor:
        filled = torch.cat([x, x[torch.arange(-len(x) % at_once) % len(x)]])
        with game.resting(*game.children()), machine.autocast():
            parts = [game.classify(part.to(machine.device)).float().cpu() for part in filled.split(at_once)]
        return torch.cat(parts)[: len(x)]

    return Evaluation(
        source,
        samples,
        judge_of(game, machine),
        game.loss.adversarial.probability,
        classify if game.classifies else None,
        place,
    )


def picture_maker(
    game: Game, batches: Batches, machine: Machine, seed: int, shape: list[int]
) -> tuple[Callable[[str], np.ndarray], np.ndarray]:
    """A function from a title to a picture of samples of a fixed noise; and a picture or the points of real data."""
    images = len(shape) == 3
    n = 64 if images else 2000
    seed_default(mix(seed, PICTURES), machine.device)
    real = batches.draw(0, n)["real"].cpu()
    seed_default(mix(seed, PICTURES), machine.device)
    request = game.gallery(n) if images else Request(n, game.latents(n))
    judge = judge_of(game, machine)
    probability = game.loss.adversarial.probability

    def look(title: str) -> np.ndarray:
        samples = draw(game, machine, request, seed, PICTURES, at_once=request.n)["samples"]
        return draw_picture(user_units(samples, batches.facts), title)

    def draw_picture(samples: np.ndarray, title: str) -> np.ndarray:
        def verdict(x: np.ndarray) -> np.ndarray:
            assert judge is not None
            logits = judge(torch.from_numpy(x).float())
            return (logits.sigmoid() if probability else logits).numpy()

        points = None if images or judge is None or batches.facts else verdict
        label = "D(x)" if probability else "D's score"
        return picture(samples, user_units(real, batches.facts), points, title, label, request.columns)

    return look, picture(real.numpy(), real.numpy(), None, "real", "") if images else np.empty(0)


def user_units(samples: Tensor, facts: Mapping[str, Tensor]) -> np.ndarray:
    """Standardised numbers mapped back; everything else as it is."""
    if "mean" in facts:
        samples = samples * facts["std"] + facts["mean"]
    return samples.numpy()
