"""`gantrain -m`: many runs under one folder, by Hydra's sweeper and launcher."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from shlex import quote

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from gantrain.commands.launching import check_launcher, followed, launcher_of, saved_first, threads_shared
from gantrain.commands.search import at_a_time, check_search, search_words, take_trials, with_sweeper
from gantrain.commands.study import quiet_optuna
from gantrain.commands.sweep_jobs import Jobs
from gantrain.commands.sweep_table import write_table
from gantrain.commands.sweep_words import check, expanded, swept_keys
from gantrain.config import explained, hydra_at, implied, of_hydra, parse, quoted
from gantrain.errors import Stopped, UserError
from gantrain.runs import SweepFolder, SweepPlan
from gantrain.terminal import show


def sweep(
    overrides: Sequence[str],
    config_dir: str | None,
    config_name: str,
    command: str,
    folder: SweepFolder | None = None,
) -> int:
    """Runs every combination or the trials of a search, prints and writes the table, and returns the exit code.

    Args:
        command: the command line as it was typed.
        folder: of an earlier sweep whose missing jobs are to be finished.

    Raises:
        UserError: the overrides do not make configs; nothing was written.
        Stopped: by a signal; the table is printed all the same.
    """
    with hydra_at(config_dir):
        overrides = with_sweeper(overrides)
        with explained(overrides, config_name):
            overrides = implied(overrides, config_name)
        overrides = expanded(overrides, config_name)
        parsed = parse(overrides, config_name)
        check_launcher(parsed)
        first, objective = check(parsed, config_name)
        trials = first.sweep.trials if "sweep" in first else None
        check_search(parsed, trials)
        launcher = launcher_of(parsed, first, _count(parsed) if trials is None else trials)
        folder = folder or _new_folder(parsed, first)
        kept = [word for word, override in zip(overrides, parsed, strict=True) if not of_hydra(override)]
        own = _resolved(config_dir)
        folder.write_plan(SweepPlan(kept, own, config_name, objective.metric if trials is not None else None))
        jobs = Jobs(folder, swept_keys(parsed), command, launcher, objective, trials is not None)
        words = [*overrides, *(f"{key}={value}" for key, value in {**launcher.settings, **_places(folder)}.items())]
        if trials is None:
            done = sum(job.status.read().status == "finished" for job in folder.jobs())
            _say_begun(jobs, f"{_count(parsed):,} jobs{f', {done:,} finished before' if done else ''}")
            _launch(words, config_name, jobs, own)
        else:
            _search(words, parsed, config_name, jobs, own, trials)
    return 1 if write_table(folder, own) else 0


def _search(
    words: Sequence[str],
    parsed: Sequence[Override],
    config_name: str,
    jobs: Jobs,
    config_dir: str | None,
    trials: int,
) -> None:
    """Has Hydra run the trials of a search that are left, some at a time, for other processes may join."""
    folder, each = jobs.folder, at_a_time(parsed, jobs.launcher.at_once)
    with folder.workers.joined(folder.next_number()):
        left, taken = take_trials(folder, trials, each)
        gone = f" more of {trials:,}" if left < trials else ""
        beside = f", beside {count} other{'s' * (count > 1)}" if (count := len(folder.workers.others())) else ""
        extent = (
            f"{left:,}{gone} trials{beside}"
            if left or beside
            else f"none left of {trials:,} trials: more by sweep.trials=…"
        )
        _say_begun(jobs, f"{extent}, to {jobs.objective.direction} {jobs.objective.metric}")
        while taken:
            search = search_words(folder, parsed, jobs.objective, taken, jobs.launcher.at_once)
            _launch([*words, *search], config_name, jobs, config_dir)
            left -= taken  # no more than there were, should each of them fail
            taken = take_trials(folder, trials, each, left)[1]


def _say_begun(jobs: Jobs, extent: str) -> None:
    show(f"sweep: {jobs.folder}  ({extent}{'' if jobs.launcher.here else f'; {jobs.launcher}'})")


def _launch(words: Sequence[str], config_name: str, jobs: Jobs, config_dir: str | None) -> None:
    """Has Hydra run the jobs that these words make; the table is printed even where a signal ends it."""
    hydra, folder = GlobalHydra.instance().hydra, jobs.folder
    assert hydra is not None
    try:
        with (
            explained(words, config_name),
            threads_shared(jobs.launcher),
            followed(jobs.launcher, folder),
            saved_first(jobs.launcher, folder),
            quiet_optuna() if jobs.searching else nullcontext(),
        ):
            hydra.multirun(config_name, jobs, list(words))
    except UserError:
        folder.remove_unless_begun()
        raise
    except (Stopped, KeyboardInterrupt):
        write_table(folder, config_dir, cut=True)
        raise


def finish(folder: SweepFolder, words: Sequence[str], config_dir: str | None, command: str) -> int:
    """Goes on with a sweep: finished jobs stay, those with a checkpoint go on, the others start.

    Args:
        config_dir: with which it was begun, named anew, for a stranger's sweep may not choose what is read.
        words: overrides of Hydra's own settings, which a sweep's file does not hold, for it may be a stranger's; and of
            a search how many trials there are to be.

    Raises:
        UserError: the sweep's file is damaged or sets something of Hydra's own; other words, or another folder of
            configs, were given.
    """
    plan = folder.read_plan()
    if _resolved(config_dir) != plan.config_dir:
        way_out = f"add --config-dir {quote(plan.config_dir)}, if that is yours" if plan.config_dir else "leave it out"
        raise UserError(f"a sweep is finished with the --config-dir that it was begun with: {way_out}")
    for word, override in zip(plan.overrides, parse(plan.overrides, plan.config_name), strict=True):
        if of_hydra(override):
            raise UserError(
                f"{folder.plan_file} holds {word}: what belongs to Hydra itself is set on the command line only"
            )
    parsed = parse(words, plan.config_name)
    others = [o.input_line for o in parsed if not of_hydra(o) and o.key_or_group != "sweep.trials"]
    if others:
        raise UserError(f"a sweep is finished as it was begun: leave out {' '.join(map(str, others))}")
    begun = plan.overrides
    if any(o.key_or_group == "sweep.trials" for o in parsed):
        begun = [word for word in begun if not word.startswith("sweep.trials=")]
    return sweep([*begun, *words], plan.config_dir, plan.config_name, command, folder)


def _places(folder: SweepFolder) -> dict[str, str]:
    """Where Hydra's sweeper works, and that it writes nothing into jobs, each of which finds its own folder."""
    place = quoted(str(folder.path).replace("${", "\\${"))  # no interpolation, whatever stands in it
    silent = dict.fromkeys(("hydra/job_logging", "hydra/hydra_logging"), "none")
    return {"hydra.sweep.dir": place, "hydra.sweep.subdir": ".", "hydra.output_subdir": "null", **silent}


def _resolved(config_dir: str | None) -> str | None:
    return str(Path(config_dir).expanduser().resolve()) if config_dir else None


def _count(parsed: Sequence[Override]) -> int:
    """How many combinations there are."""
    count = 1
    for override in parsed:
        if override.is_discrete_sweep():
            count *= len(list(override.sweep_string_iterator()))
    return count


def _new_folder(parsed: Sequence[Override], cfg: DictConfig) -> SweepFolder:
    """A folder named by the sweep that was chosen, else by what the jobs share and what is swept.

    Args:
        cfg: the first job's config.
    """
    swept = swept_keys(parsed)
    groups = zip(("dataset", "model", "loss"), cfg.name.split("-"), strict=False)
    shared = [] if "experiment" in swept else [part for group, part in groups if group not in swept]
    name = "-".join([*shared, "by", *swept])
    if any(o.key_or_group == "name" for o in parsed):
        name = cfg.name
    elif chosen := cfg.choices.groups.get("sweep"):
        name = chosen
    return SweepFolder.fresh(Path(cfg.outputs_dir).expanduser(), name.replace("/", ".").removeprefix("-"))
