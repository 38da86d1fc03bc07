"""What a run is made of: all that can be built, and refused, before its data is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gantrain.commands.assembly import build_game, build_learners, build_metrics, plain, reuses_fakes
from gantrain.config import OnNonfinite, build, data_folder
from gantrain.data import Batches, DataContext, Source
from gantrain.data.memory import free_memory
from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.metrics import Metric, RealData
from gantrain.networks.layers import samples_meet
from gantrain.report.sinks import check_sinks
from gantrain.runs import find_checkpoint, load_checkpoint
from gantrain.sharded import local
from gantrain.training.checkpoints import load_game, load_optimizers, load_players
from gantrain.training.execution import choose_execution, is_long, suits_compiling
from gantrain.training.machine import Machine, choose_machine, set_threads
from gantrain.training.ranks import ALONE, Ranks
from gantrain.training.rounds import Rounds
from gantrain.training.state import Learner, Progress
from gantrain.training.weights import Weights


@dataclass(frozen=True)
class Parts:
    """What a run is made of. The game is on the machine, and as far as its checkpoint where there is one.

    `weights` says where those lie, and `execution` how gradients are taken: eager, compile or graph.
    """

    source: Source
    context: DataContext
    game: Game
    metrics: Mapping[str, Metric]
    machine: Machine
    learners: Mapping[str, Learner]
    progress: Progress
    weights: Weights
    execution: str

    def real_data(self, training: Batches) -> RealData:
        """What metrics compare with, given the data that is trained on."""
        return RealData(self.source, self.context, training)


def build_parts(
    cfg: DictConfig, state: Mapping[str, Any] | None, say: Callable[[str], None], ranks: Ranks = ALONE
) -> Parts:
    """Builds what a complete config describes.

    Args:
        state: a checkpoint to go on from.
        say: is told what is done to the data.
        ranks: the processes that train together.

    Raises:
        UserError: it does not fit together, or into the checkpoint, or is not here.
    """
    if cfg.trainer.replicas > 1:
        raise UserError(
            "trainer.replicas trains seeds at once, not in torchrun or a sweep's job: leave it out, and sweep seed=0,1"
        )
    check_sinks(cfg.log.sinks)
    source = build(plain(cfg.dataset), "dataset")
    game = build_game(cfg, devices=ranks.count)
    metrics = build_metrics(cfg, source, game)
    set_threads(cfg.trainer.threads, game)
    trainer = cfg.trainer
    machine = choose_machine(trainer.device, trainer.precision.value, game, trainer.deterministic, ranks.local)
    execution = _execution(cfg, game, machine, ranks.count, state)
    if cfg.trainer.batch_size // cfg.trainer.accumulate < 2 and samples_meet(game):
        raise UserError("batch norm and minibatch tricks need two samples at a time: set a larger trainer.batch_size")
    if state is not None:
        load_game(game, state, "the run")
    elif cfg.init_from:
        init_from = Path(cfg.init_from).expanduser()
        old = ranks.state(lambda: load_checkpoint(find_checkpoint(init_from)))
        assert old is not None
        load_players(game, old, f"init_from={cfg.init_from}")
    weights = _weights(cfg, game, machine, ranks, say)
    for name in (name for name, metric in metrics.items() if metric.needs_value and weights.is_sharded):
        raise UserError(
            f"metric {name} trains copies of players, whose weights trainer.shard shares out: leave one out"
        )
    machine.place(game)
    learners = build_learners(cfg, game)
    if state is not None:
        load_optimizers(learners, state)
    budget = cfg.trainer.data_budget
    if budget is None and ranks.count > 1:
        budget = free_memory(machine.device) // (2 * (ranks.local_count if machine.device.type == "cpu" else 1))
    limits = (budget, cfg.debug.overfit)
    context = DataContext(data_folder(cfg), machine.device, cfg.seed, *limits, say=say)
    progress = Progress(**state["progress"]) if state else Progress()
    return Parts(source, context, game, metrics, machine, learners, progress, weights, execution)


def _weights(cfg: DictConfig, game: Game, machine: Machine, ranks: Ranks, say: Callable[[str], None]) -> Weights:
    """Where the weights of a game that is on the CPU are to lie; those to be shared out are so afterwards."""
    if not cfg.trainer.shard or ranks.count == 1:
        if cfg.trainer.shard:
            say("trainer.shard: one process trains, and has all weights; torchrun starts several")
        return Weights(ranks)
    from gantrain.training.sharding import Sharded

    ranks.spread([*game.parameters(), *game.buffers()])
    weights = Sharded(game, machine.device, ranks)
    total, own = (sum(x.numel() for x in held) / 1e6 for held in (game.parameters(), map(local, game.parameters())))
    say(f"weights: each of {ranks.count} processes keeps {own:,.2f} of {total:,.2f} million, averages included")
    return weights


def _execution(cfg: DictConfig, game: Game, machine: Machine, devices: int, state: Mapping[str, Any] | None) -> str:
    """How gradients are taken; what `auto` means follows from the run's length when it begins, and stays.

    Raises:
        UserError: that does not go with what else the config asks for.
    """
    trainer, word = cfg.trainer, cfg.trainer.execution.value
    if reuses_fakes(cfg, game):
        if word not in ("eager", "auto"):
            raise UserError(
                f"reuse_fakes joins two turns, and execution={word} takes each by itself: use eager or auto"
            )
        if trainer.on_nonfinite is OnNonfinite.skip:
            raise UserError(
                "on_nonfinite=skip puts back what D's turn changed, through which reuse_fakes has G learn: use "
                "on_nonfinite=rollback or stop, or reuse_fakes=false"
            )
        return "eager"
    if word != "auto":
        return str(word)
    began = state.get("execution") if state else None
    long = is_long(trainer.steps, trainer.minutes) if began is None else began == "compile"
    compiles = long and devices == 1 and suits_compiling(game, machine, trainer.accumulate)
    return "compile" if compiles else "eager"


def open_data(parts: Parts, ranks: Ranks) -> Batches:
    """What is trained on; the first process of each computer packs it where it must be."""
    return ranks.in_turn(lambda: parts.source.open(parts.context))


def build_rounds(
    cfg: DictConfig, parts: Parts, batches: Batches, say: Callable[[str], None], ranks: Ranks = ALONE
) -> Rounds:
    """The rounds of a run over its data, which all of `ranks` play together.

    Args:
        say: is told what cannot be done as the config has it.

    Raises:
        UserError: the config asks for an execution that is not here.
    """
    trainer, game, machine = cfg.trainer, parts.game, parts.machine
    return Rounds(
        *(game, parts.learners, batches, machine, cfg.seed, trainer.steps, trainer.batch_size, trainer.accumulate),
        skip=trainer.on_nonfinite is OnNonfinite.skip,
        reuse_fakes=reuses_fakes(cfg, game),
        execution=choose_execution(parts.execution, game, machine, say, ranks.count),
        ranks=ranks,
        weights=parts.weights,
    )


def begin(rounds: Rounds, again: bool = False) -> None:
    """Before the first round of a new run, or of one that goes on `again`: all processes have the first one's weights.

    Raises:
        UserError: the data is not what the game needs.
    """
    if not again:
        try:
            with rounds.weights.whole(averages=True):
                rounds.begin()
        except ValueError as error:
            raise UserError(str(error)) from error
    parameters = [] if rounds.weights.is_sharded else rounds.game.parameters()  # which are the same everywhere already
    rounds.ranks.spread([*parameters, *rounds.game.buffers()])
