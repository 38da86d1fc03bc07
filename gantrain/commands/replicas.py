"""`gantrain trainer.replicas=10`: runs that differ in nothing but the seed, trained at once in one process."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gantrain.commands.parts import begin, build_parts, build_rounds, open_data
from gantrain.commands.sweep_table import write_table
from gantrain.commands.train import training
from gantrain.config import Execution, OnNonfinite, of_hydra, parse
from gantrain.errors import Stopped, UserError
from gantrain.report.console import Console
from gantrain.runs import SweepFolder, SweepPlan
from gantrain.training.ranks import ALONE
from gantrain.training.replicas import Replicas, train_together
from gantrain.training.state import Progress

REUSE, EXECUTION = "trainer.reuse_fakes", "trainer.execution"
TOGETHER = {REUSE: "false", EXECUTION: "eager"}
"""How all are played, and how one plays that goes on alone."""
CHECKED = 2
"""Runs that are enough to see whether turns can be played at once."""


class OfSeed(Console):
    """Says whose lines these are; the log keeps them as they are."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def show(self, text: str) -> None:
        super().show(f"seed {self._seed}: {text}")


def train_replicas(
    cfg: DictConfig, overrides: Sequence[str], config_dir: str | None, config_name: str, console: Console, command: str
) -> int:
    """Trains runs of so many seeds as `trainer.replicas` says, from the config's own on, and returns the exit code.

    They are kept as a sweep over the seeds is, which `run=` goes on with, each run by itself.

    Args:
        overrides: of which the config was made, with what they imply, by a file of this name, with groups from the
            folder too.

    Raises:
        UserError: they cannot be trained at once; nothing was written.
        Stopped: by a signal, after saving.
    """
    seeds = range(cfg.seed, cfg.seed + cfg.trainer.replicas)
    _check(cfg)
    configs = [_with_seed(cfg, seed) for seed in seeds]
    _check_together(configs[:CHECKED])
    folder = SweepFolder.fresh(Path(cfg.outputs_dir).expanduser(), cfg.name)
    own = str(Path(config_dir).expanduser().resolve()) if config_dir else None
    settled = {key: value for key, value in TOGETHER.items() if OmegaConf.select(cfg, key) in ("auto", Execution.auto)}
    free = [word for word in overrides if word.partition("=")[0].lstrip("+") not in settled]
    kept = _without_seeds([*free, *(f"{key}={value}" for key, value in settled.items())], config_name)
    folder.write_plan(SweepPlan([*kept, f"seed={','.join(map(str, seeds))}"], own, config_name))
    console.say(f"runs: {folder}  (seeds {seeds[0]} to {seeds[-1]} at once; what is said below is of seed {seeds[0]})")
    trainings = []
    with ExitStack() as held:
        for number, (seed, its) in enumerate(zip(seeds, configs, strict=True)):
            job = folder.job([*kept, f"seed={seed}"], f"seed{seed}", number)
            held.enter_context(job.held(wait=False))
            its_console = OfSeed(seed) if number == 0 else Console(log_only=True)
            held.callback(its_console.close)
            trainings.append(training(its, its_console, command, job, quiet=True, at_once=len(seeds)))
        outcomes = train_together(trainings, console.say)
    for job, outcome in zip(folder.jobs(), outcomes, strict=True):
        if isinstance(outcome, Exception) and job.status.read().status is None:  # it failed before it began
            job.status.end("failed", str(outcome) or type(outcome).__name__)
    failed = write_table(folder, own)
    for outcome in outcomes:
        if isinstance(outcome, Stopped) or (isinstance(outcome, BaseException) and not isinstance(outcome, Exception)):
            raise outcome
    return 1 if failed else 0


def _check(cfg: DictConfig) -> None:
    """Raises UserError where the config asks for what runs that go in step cannot do."""
    trainer = cfg.trainer
    unfit = {
        "trainer.accumulate": (trainer.accumulate > 1, "plays turns in parts: set trainer.accumulate=1"),
        REUSE: (trainer.reuse_fakes is True, "joins two turns: set trainer.reuse_fakes=false"),
        EXECUTION: (
            trainer.execution not in (Execution.auto, Execution.eager),
            "takes each run's turns by themselves: set trainer.execution=eager",
        ),
        "trainer.on_nonfinite": (
            trainer.on_nonfinite is not OnNonfinite.stop,
            "would let one run fall behind the others: set trainer.on_nonfinite=stop",
        ),
        "debug.dry": (cfg.debug.dry, "looks at one run: leave out trainer.replicas"),
    }
    for name, (is_so, sentence) in unfit.items():
        if is_so:
            raise UserError(f"trainer.replicas={trainer.replicas} trains seeds at once, but {name} {sentence}")


def _with_seed(cfg: DictConfig, seed: int) -> DictConfig:
    """The config of one of the runs, as if it were alone."""
    own = copy.deepcopy(cfg)
    own.seed, own.trainer.replicas = seed, 1
    own.trainer.execution, own.trainer.reuse_fakes = Execution.eager, False  # not left to what each would do alone
    words = [word for word in cfg.choices.overrides if not _is_about_seeds(word)]
    own.choices.overrides = [*words, f"seed={seed}"]
    return own


def _is_about_seeds(word: str) -> bool:
    return word.lstrip("+").partition("=")[0] in ("seed", "trainer.replicas")


def _without_seeds(overrides: Sequence[str], config_name: str) -> list[str]:
    """What all runs share, in the words by which a sweep of Hydra's finds its jobs again."""
    own = [override for override in parse(overrides, config_name) if not of_hydra(override)]
    words = [f"{override.get_key_element()}={override.get_value_element_as_str()}" for override in own]
    return [word for word in words if not _is_about_seeds(word)]


def _check_together(configs: Sequence[DictConfig]) -> None:
    """Plays one round of the first few runs at once.

    Raises:
        UserError: that cannot be done.
    """
    silent = Console(log_only=True)
    built = [build_parts(cfg, None, silent.say) for cfg in configs]
    every_rounds = []
    with closing(open_data(built[0], ALONE)) as batches:
        for cfg, parts in zip(configs, built, strict=True):
            rounds = build_rounds(cfg, parts, batches, silent.say)
            begin(rounds)
            every_rounds.append(rounds)
        Replicas(every_rounds, silent.say).check([Progress() for _ in configs])
