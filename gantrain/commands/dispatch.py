"""Where the words of a command lead. What they need is imported when they need it: torch takes seconds to load."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gantrain.errors import UserError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrain.report.console import Console
    from gantrain.training.ranks import Ranks


def _train(flags: argparse.Namespace, overrides: list[str]) -> int:
    from gantrain.commands.together import started_together, together

    if flags.multirun and started_together():
        raise UserError(
            "--multirun trains runs one after the other, each in one process: start it without torchrun, or start each "
            "run by itself with torchrun"
        )
    if not started_together():
        return _train_first(flags, overrides)
    with together() as ranks:
        if ranks.number:
            from gantrain.commands.following import follow

            follow(ranks)
            return 0
        return _train_first(flags, overrides, ranks)


def _train_first(flags: argparse.Namespace, overrides: list[str], ranks: Ranks | None = None) -> int:
    """In the first of the processes that train together, or in the only one, without `ranks`."""
    from gantrain.config import value_of

    run, others = value_of("run", overrides)
    folder = Path(run).expanduser() if run else None
    if folder is not None and not folder.exists():
        raise UserError(f"run={run}: there is no such folder or checkpoint file")
    name = flags.config_name or "train"
    if flags.multirun and run:
        raise UserError("a run goes on by itself: leave out --multirun, or leave out run=")
    if flags.multirun:
        from gantrain.commands.sweep import sweep

        return sweep(overrides, flags.config_dir, name, flags.command_line)
    if folder is not None:
        from gantrain.runs import SweepFolder

        if SweepFolder(folder).is_sweep:
            if ranks is not None:
                raise UserError(f"run={run} is a sweep, whose runs are trained in one process: leave torchrun out")
            from gantrain.commands.sweep import finish

            return finish(SweepFolder(folder), others, flags.config_dir, flags.command_line)
    from gantrain.report.console import Console

    console = Console()
    try:
        if folder is not None:
            from gantrain.commands.resume import resume
            from gantrain.training.ranks import ALONE

            resume(folder, others, console, flags.command_line, ranks=ranks or ALONE)
            return 0
        return _train_new(flags, overrides, name, console, ranks)
    finally:
        console.close()


def _train_new(
    flags: argparse.Namespace, overrides: list[str], name: str, console: Console, ranks: Ranks | None
) -> int:
    """A new run, of the config of this name with these overrides, or several at once; the exit code."""
    from gantrain.config import check_place, compose, hydra_at, implied

    with hydra_at(flags.config_dir):
        cfg, shared = compose(overrides, name), implied(overrides, name)
        if cfg.get("run") is not None:
            raise UserError(f"run={cfg.run} goes on with a run only as it is, on the command line: leave out the +")
        if "sweep" in cfg and (cfg.sweep.over or cfg.sweep.trials):
            raise UserError(f"sweep={cfg.choices.groups.get('sweep', '…')} is of many runs: add --multirun, or -m")
        if not cfg.debug.dry:
            check_place(cfg)
        console.say(f"gantrain: {cfg.name}")  # at once: what follows waits for torch to load
        from gantrain.commands.budgeting import planned
        from gantrain.commands.train import train
        from gantrain.training.ranks import ALONE

        everyone = ranks or ALONE
        cfg = planned(overrides, cfg, name, console, everyone.count)

    if cfg.trainer.replicas > 1:
        from gantrain.commands.replicas import train_replicas

        if ranks is not None:
            raise UserError("trainer.replicas trains several runs in one process: start it without torchrun")
        return train_replicas(cfg, shared, flags.config_dir, name, console, flags.command_line)
    train(cfg, console, flags.command_line, ranks=everyone)
    return 0


def _asked(flags: argparse.Namespace, overrides: list[str], command: str, one: str) -> DictConfig:
    """What a command is asked for, by its own config.

    Raises:
        UserError: several at once are asked for, of what it does one at a time.
    """
    from gantrain.config import compose, hydra_at

    if flags.multirun:
        raise UserError(f"gantrain {command} {one}: leave out --multirun")
    with hydra_at(flags.config_dir):
        return compose(overrides, flags.config_name or command)


def _sample(flags: argparse.Namespace, overrides: list[str]) -> int:
    asked = _asked(flags, overrides, "sample", "makes one set of samples at a time")
    from gantrain.commands.sample import sample
    from gantrain.report.console import Console

    sample(asked, Console())
    return 0


def _evaluate(flags: argparse.Namespace, overrides: list[str]) -> int:
    from gantrain.config import compose, hydra_at, value_of

    chosen, others = value_of("metrics", overrides)  # which is a list here, and elsewhere a group of Hydra's
    others = [re.sub(r"^\+{0,2}metrics\.(?=(known|spaces)\.)", "++", word) for word in others]  # as in training
    if wrong := next((word for word in others if word.lstrip("+~").startswith("metrics.")), None):
        raise UserError(f"{wrong}: gantrain evaluate has metrics=[…], n=… and metrics.known.… or metrics.spaces.…")
    asked = _asked(flags, others, "evaluate", "takes one run at a time")
    if chosen is not None:
        asked.metrics = [name.strip() for name in chosen.strip("[]").split(",") if name.strip()]
    with hydra_at(flags.config_dir):
        standard = compose([], "train").metrics
    from gantrain.commands.evaluate import evaluate_run
    from gantrain.report.console import Console

    evaluate_run(asked, standard, Console())
    return 0


def _data(flags: argparse.Namespace, overrides: list[str]) -> int:
    from gantrain.config import DataRequest, complete, hydra_at, requested, value_of

    whole = _asked(flags, overrides, "data", "looks at one data set at a time")
    from gantrain.report.console import Console

    console = Console()
    with hydra_at(flags.config_dir):
        asked, cfg = requested(whole, DataRequest)
        if cfg.run is not None:
            raise UserError("gantrain data looks at a data set, not at a run: leave out run=, and choose dataset=…")
        cfg = complete(cfg, console.say)
    from gantrain.commands.data import look

    look(cfg, value_of("dataset", overrides)[0], asked.out, asked.n, console)
    return 0


def _export(flags: argparse.Namespace, overrides: list[str]) -> int:
    asked = _asked(flags, overrides, "export", "writes one generator at a time")
    from gantrain.commands.export import export
    from gantrain.report.console import Console

    export(asked, Console())
    return 0


def _report(flags: argparse.Namespace, overrides: list[str]) -> int:
    asked = _asked(flags, overrides, "report", "takes several runs at once, runs=a,b")
    from gantrain.commands.report import report
    from gantrain.report.console import Console

    report(asked, Console())
    return 0


def _ps(flags: argparse.Namespace, overrides: list[str]) -> int:
    from gantrain.commands.ps import list_runs
    from gantrain.report.console import Console

    if len(overrides) > 1:
        raise UserError(f"gantrain ps takes one folder: leave out {' '.join(overrides[1:])}")
    list_runs(Path(overrides[0] if overrides else "outputs").expanduser(), Console())
    return 0


def _fork(flags: argparse.Namespace, overrides: list[str]) -> int:
    if flags.multirun:
        raise UserError("gantrain fork makes one run at a time: leave out --multirun")
    from gantrain.config import hydra_at, value_of

    run, others = value_of("run", overrides)
    step, words = value_of("step", others)
    if run is None:
        raise UserError("gantrain fork needs run=<a run's folder>, and what is to change, such as loss=hinge")
    from gantrain.commands.fork import fork
    from gantrain.report.console import Console

    console = Console()
    try:
        with hydra_at(flags.config_dir):
            fork(run, step, words, flags.config_name or "train", console, flags.command_line)
    finally:
        console.close()
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, list[str]], int]] = {
    "train": _train,
    "sample": _sample,
    "evaluate": _evaluate,
    "data": _data,
    "export": _export,
    "report": _report,
    "fork": _fork,
    "ps": _ps,
}
