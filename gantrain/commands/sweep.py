"""`gantrain -m`: many runs under one folder, by Hydra's sweeper and launcher."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from gantrain.commands.assembly import build_game, build_metrics, plain
from gantrain.commands.budgeting import planned
from gantrain.commands.report import report_sweep
from gantrain.commands.resume import resume
from gantrain.commands.sweep_table import write_table
from gantrain.commands.train import train
from gantrain.config import (
    build,
    check_place,
    complete,
    compose,
    explained,
    hydra_at,
    implied,
    left_to_budget,
    of_hydra,
    parse,
    quoted,
    validate,
    with_choices,
)
from gantrain.errors import Mistyped, Stopped, UserError
from gantrain.report.console import Console
from gantrain.report.sinks import check_sinks
from gantrain.runs import JobFolder, SweepFolder, SweepPlan
from gantrain.training.machine import choose_machine

REPORT_EVERY = 30.0
"""Seconds between two reports while a sweep runs, at least."""


def sweep(
    overrides: Sequence[str],
    config_dir: str | None,
    config_name: str,
    command: str,
    folder: SweepFolder | None = None,
) -> int:
    """Runs every combination, prints and writes the table, and returns the exit code.

    Args:
        command: the command line as it was typed.
        folder: of an earlier sweep whose missing jobs are to be finished.

    Raises:
        UserError: the overrides do not make configs; nothing was written.
        Stopped: by a signal; the table is printed all the same.
    """
    with hydra_at(config_dir):
        with explained(overrides, config_name):
            overrides = implied(overrides, config_name)
        parsed = parse(overrides, config_name)
        first = _check(parsed, config_name)
        folder = folder or _new_folder(parsed, first)
        own = str(Path(config_dir).expanduser().resolve()) if config_dir else None
        kept = [word for word, override in zip(overrides, parsed, strict=True) if not of_hydra(override)]
        plan = SweepPlan(kept, own, config_name)
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        reported = -math.inf  # when the report was last written: of a large sweep that takes seconds

        def job(cfg: DictConfig) -> float:
            nonlocal reported
            folder.write_plan(plan)
            objective = _job(cfg, command)
            if time.monotonic() - reported > REPORT_EVERY:
                report_sweep(folder, print)
                reported = time.monotonic()
            return objective

        try:
            with explained(overrides, config_name):
                hydra.multirun(config_name, job, [*overrides, *_own_overrides(folder)])
        except UserError:
            folder.remove_unless_begun()
            raise
        except (Stopped, KeyboardInterrupt):
            write_table(folder)
            raise
    return 1 if write_table(folder) else 0


def finish(folder: SweepFolder, words: Sequence[str], command: str) -> int:
    """Goes on with a sweep: finished jobs stay, those with a checkpoint go on, the others start.

    Args:
        words: overrides of Hydra's own settings, which a sweep's file does not hold, for it may be a stranger's.

    Raises:
        UserError: the sweep's file is damaged or sets something of Hydra's own; other words were given.
    """
    plan = folder.read_plan()
    for word, override in zip(plan.overrides, parse(plan.overrides, plan.config_name), strict=True):
        if of_hydra(override):
            raise UserError(
                f"{folder.plan_file} holds {word}: what belongs to Hydra itself is set on the command line only"
            )
    parsed = parse(words, plan.config_name)
    others = [word for word, override in zip(words, parsed, strict=True) if not of_hydra(override)]
    if others:
        raise UserError(f"a sweep is finished as it was begun: leave out {' '.join(others)}")
    return sweep([*plan.overrides, *words], plan.config_dir, plan.config_name, command, folder)


def _own_overrides(folder: SweepFolder) -> list[str]:
    """Where Hydra's sweeper puts its jobs, and that it writes nothing of its own into their folders."""
    OmegaConf.register_new_resolver("gantrain_job", lambda number: folder.job_name(int(number)), replace=True)
    places = [f"hydra.sweep.dir={_literal(folder.path)}", "hydra.sweep.subdir='${gantrain_job:${hydra.job.num}}'"]
    return [*places, "hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none"]


def _literal(folder: Path) -> str:
    """A path as a value of Hydra's grammar that is not read as an interpolation."""
    return quoted(str(folder).replace("${", "\\${"))


def _new_folder(parsed: Sequence[Override], cfg: DictConfig) -> SweepFolder:
    """A folder named by what the jobs share and what is swept, given the first job's config."""
    swept = [o.key_or_group for o in parsed if o.is_sweep_override()]
    groups = zip(("dataset", "model", "loss"), cfg.name.split("-"), strict=False)
    shared = [] if "experiment" in swept else [part for group, part in groups if group not in swept]
    name = cfg.name if any(o.key_or_group == "name" for o in parsed) else "-".join([*shared, "by", *swept])
    return SweepFolder.fresh(Path(cfg.outputs_dir).expanduser(), name.replace("/", ".").removeprefix("-"))


def _check(parsed: Sequence[Override], config_name: str) -> DictConfig:
    """The first job's config, once every value of what is swept makes one.

    What does not fit together may be one of many combinations, and is that job's failure; not where nothing fits, nor
    where a value is of the wrong type.

    Raises:
        UserError: a value makes no config, or none of them a run.
    """
    named = {override.key_or_group for override in parsed}
    configs = [compose(words, config_name) for words in _each_value_once(parsed)]
    for cfg in configs:
        left_to_budget(validate(cfg).budget, named)
        check_place(cfg)
    refusals = []
    for cfg in configs:
        try:
            cfg = complete(cfg)
            check_sinks(cfg.log.sinks)
            game = build_game(cfg)
            build_metrics(cfg, build(plain(cfg.dataset), "dataset"), game)
            choose_machine(cfg.trainer.device, cfg.trainer.precision.value, game)
        except Mistyped:
            raise
        except UserError as error:
            refusals.append(error)
    if len(refusals) == len(configs):
        raise refusals[0]
    return configs[0]


def _each_value_once(parsed: Sequence[Override]) -> list[list[str]]:
    """The first job's overrides, then for every other value of what is swept the first job's with that one in place."""
    swept = [o for o in parsed if o.is_discrete_sweep()]
    fixed = [str(o.input_line) for o in parsed if not o.is_sweep_override()]
    values = [[f"{str(o.input_line).partition('=')[0]}={value}" for value in o.sweep_string_iterator()] for o in swept]
    firsts = [words[0] for words in values]
    others = ([*firsts[:k], word, *firsts[k + 1 :]] for k, words in enumerate(values) for word in words[1:])
    return [[*fixed, *words] for words in (firsts, *others)]


def _job(cfg: DictConfig, command: str) -> float:
    """One run of a sweep. Never raises but for a signal, so that the others go on; returns its objective."""
    hydra = HydraConfig.get()
    folder = JobFolder(Path(hydra.runtime.output_dir))
    words = [word for word in hydra.overrides.task if not word.startswith("hydra.")]
    own_command = f"{command}  # {folder.path.name}: {' '.join(words)}"
    console = Console()
    folder.write_words(words)
    try:
        if folder.status.read().status == "finished":
            return _objective(folder, cfg.metrics.best)
        console.say(f"\njob {folder.path.name}: {' '.join(words)}")
        if folder.checkpoints.last() is not None:
            resume(folder.path, [], console, own_command, quiet=True)
        else:
            name = str(hydra.job.config_name)
            own = with_choices(cfg, dict(hydra.runtime.choices), words, name)
            train(planned(words, own, name, console), console, own_command, folder, quiet=True)
        return _objective(folder, cfg.metrics.best)
    except Exception as error:  # a failing job must not end the others
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        folder.status.end("failed", reason)
        console.say(f"job {folder.path.name} failed: {reason}")
        return math.nan
    finally:
        console.close()


def _objective(folder: JobFolder, best: str | None) -> float:
    """What a sweeper compares jobs by: the best value of `metrics.best`, else the first figure of the last evaluation.

    NaN where there is none.
    """
    figure = None
    if best is not None:
        with suppress(UserError):  # best.pt is a link
            figure = folder.checkpoints.best_figure(best)
    else:
        evaluations = [_figures(line) for line in folder.numbers.read() if _figures(line)]
        figure = evaluations[-1][0] if evaluations else None
    return math.nan if figure is None else figure


def _figures(line: dict[str, Any]) -> list[float | None]:
    return [value for tag, value in line.items() if tag.startswith("metrics/")]
