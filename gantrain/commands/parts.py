"""What a run is made of: all that can be built, and refused, before its data is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gantrain.commands.assembly import build_game, build_learners, build_metrics, plain
from gantrain.config import OnNonfinite, build, data_folder
from gantrain.data import Batches, DataContext, Source
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.metrics import Metric, RealData
from gantrain.networks.layers import samples_meet
from gantrain.report.sinks import check_sinks
from gantrain.runs import find_checkpoint, load_checkpoint
from gantrain.training.checkpoints import load_game, load_optimizers, load_players
from gantrain.training.machine import Machine, choose_machine, set_threads
from gantrain.training.rounds import Rounds
from gantrain.training.state import Learner, Progress


@dataclass(frozen=True)
class Parts:
    """What a run is made of. The game is on the machine, and as far as its checkpoint where there is one."""

    source: Source
    context: DataContext
    game: Game
    metrics: Mapping[str, Metric]
    machine: Machine
    learners: Mapping[str, Learner]
    progress: Progress

    def real_data(self, training: Batches) -> RealData:
        """What metrics compare with, given the data that is trained on."""
        return RealData(self.source, self.context, training)


def build_parts(cfg: DictConfig, state: Mapping[str, Any] | None, say: Callable[[str], None]) -> Parts:
    """Builds what a complete config describes.

    Args:
        state: a checkpoint to go on from.
        say: is told what is done to the data.

    Raises:
        UserError: it does not fit together, or into the checkpoint, or is not here.
    """
    check_sinks(cfg.log.sinks)
    source = build(plain(cfg.dataset), "dataset")
    game = build_game(cfg)
    metrics = build_metrics(cfg, source, game)
    set_threads(cfg.trainer.threads, game)
    machine = choose_machine(cfg.trainer.device, cfg.trainer.precision.value, game)
    if cfg.trainer.batch_size // cfg.trainer.accumulate < 2 and samples_meet(game):
        raise UserError("batch norm and minibatch tricks need two samples at a time: set a larger trainer.batch_size")
    if state is not None:
        load_game(game, state, "the run")
    elif cfg.init_from:
        old = load_checkpoint(find_checkpoint(Path(cfg.init_from).expanduser()))
        load_players(game, old, f"init_from={cfg.init_from}")
    machine.place(game)
    learners = build_learners(cfg, game)
    if state is not None:
        load_optimizers(learners, state)
    limits = (cfg.trainer.data_budget, cfg.debug.overfit)
    context = DataContext(data_folder(cfg), machine.device, cfg.seed, *limits, say=say)
    progress = Progress(**state["progress"]) if state else Progress()
    return Parts(source, context, game, metrics, machine, learners, progress)


def build_rounds(cfg: DictConfig, parts: Parts, batches: Batches) -> Rounds:
    """The rounds of a run over its data."""
    sizes = (cfg.trainer.steps, cfg.trainer.batch_size, cfg.trainer.accumulate)
    skip = cfg.trainer.on_nonfinite is OnNonfinite.skip
    return Rounds(parts.game, parts.learners, batches, parts.machine, cfg.seed, *sizes, skip=skip)


def begin(rounds: Rounds) -> None:
    """Before the first round of a new run.

    Raises:
        UserError: the data is not what the game needs.
    """
    try:
        rounds.begin()
    except ValueError as error:
        raise UserError(str(error)) from error
