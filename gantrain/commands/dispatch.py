"""Where the words of a command lead. What they need is imported when they need it: torch takes seconds to load."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from gantrain.errors import UserError


def _train(flags: argparse.Namespace, overrides: list[str]) -> int:
    from gantrain.config import check_place, complete, compose, hydra_at, value_of

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
            from gantrain.commands.sweep import finish

            return finish(SweepFolder(folder), others, flags.command_line)
    from gantrain.report.console import Console

    console = Console()
    try:
        if folder is not None:
            from gantrain.commands.resume import resume

            resume(folder, others, console, flags.command_line)
            return 0
        with hydra_at(flags.config_dir):
            cfg = compose(overrides, name)
            if cfg.get("run") is not None:
                raise UserError(f"run={cfg.run} goes on with a run only as it is, on the command line: leave out the +")
            if not cfg.debug.dry:
                check_place(cfg)
            console.say(f"gantrain: {cfg.name}")  # at once: what follows waits for torch to load
            cfg = complete(cfg)
        from gantrain.commands.train import train

        train(cfg, console, flags.command_line)
        return 0
    finally:
        console.close()


def _sample(flags: argparse.Namespace, overrides: list[str]) -> int:
    from gantrain.config import compose, hydra_at

    if flags.multirun:
        raise UserError("gantrain sample makes one set of samples at a time: leave out --multirun")
    with hydra_at(flags.config_dir):
        asked = compose(overrides, flags.config_name or "sample")
    from gantrain.commands.sample import sample
    from gantrain.report.console import Console

    sample(asked, Console())
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, list[str]], int]] = {"train": _train, "sample": _sample}
