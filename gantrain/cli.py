"""The front door: a word picks a command, the rest are Hydra overrides; any failure is one line and an exit code."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gantrain import __version__
from gantrain.errors import Stopped, UserError
from gantrain.help import CONFIGS, command_help, general_help

if TYPE_CHECKING:
    from omegaconf import DictConfig

PATH_KEYS = ("run", "name", "data_dir", "outputs_dir", "init_from", "out", "input", "dataset.path")
"""Keys whose values are people's own words, which may hold signs that Hydra's grammar gives a meaning."""


INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
"""What Hydra's --info tells about."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code: 0 done, 1 failed while running, 2 the user's mistake, 130 or 143 stopped."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except UserError as error:
        print(f"gantrain: {error}", file=sys.stderr)
        return 2
    except Stopped as stopped:
        return stopped.exit_code
    except KeyboardInterrupt:
        print("gantrain: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as head, went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("GANTRAIN_TRACEBACK"):
            raise
        print(f"gantrain: {type(error).__name__}: {error}", file=sys.stderr)
        print(
            "gantrain: set GANTRAIN_TRACEBACK=1 to see where; run.log in the run's folder has it too", file=sys.stderr
        )
        return 1


def _run(words: list[str]) -> int:
    flags = _parse(words)
    command, overrides = "train", list(flags.overrides)
    if overrides and re.fullmatch(r"[a-z_]+", overrides[0]):
        command = overrides.pop(0)
    if command not in COMMANDS:
        from gantrain.overrides import nearest

        raise UserError(
            f"there is no command {command}{nearest(command, list(COMMANDS))} (one of: {', '.join(COMMANDS)})"
        )
    if flags.version:
        print(f"gantrain {__version__}")
        return 0
    if flags.help:
        print(command_help(command) if command in words else general_help())
        return 0
    for package in filter(None, (flags.trust or "").split(",")):
        os.environ["GANTRAIN_TRUST"] = ",".join(filter(None, [os.environ.get("GANTRAIN_TRUST"), package]))
    prepared = [prepare(word, flags.multirun) for word in overrides]
    if flags.cfg or flags.info or flags.shell_completion or flags.hydra_help:
        return _show(flags, command, prepared)
    return COMMANDS[command](flags, prepared)


def _parse(words: list[str]) -> argparse.Namespace:
    """Flags and overrides, in any order. They are Hydra's, and --trust."""
    parser = argparse.ArgumentParser(prog="gantrain", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--package", "-p")
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--config-name", "-cn")
    parser.add_argument("--info", "-i", const="all", nargs="?", choices=INFO)
    parser.add_argument("--shell-completion", "-sc", action="store_true")
    parser.add_argument("--hydra-help", action="store_true")
    parser.add_argument("--trust")

    def fail(message: str) -> None:
        raise UserError(f"{message}; gantrain --help lists what there is")

    parser.error = fail  # type: ignore[assignment,method-assign]
    return parser.parse_intermixed_args(words)


def prepare(word: str, multirun: bool = False) -> str:
    """An override as Hydra's grammar wants it.

    Values of path keys are quoted; `a.b=word` becomes `a/b=word` where that is a group (`optimizer.schedule=cosine`),
    and `networks=word` becomes `networks@model=word`.
    """
    from gantrain.overrides import quoted, unquote

    key, equals, value = word.partition("=")
    name = key.lstrip("+~")
    if equals and name in PATH_KEYS:
        if not unquote(value).strip():  # run=$UNSET
            raise UserError(f"{word} names nothing: write a value behind it, or leave it out")
        if value == "null" or unquote(value) != value:
            return word
        parts = value.split(",") if multirun and not Path(value).expanduser().exists() else [value]
        return f"{key}={','.join(quoted(part) for part in parts)}"
    if name == "networks":  # the group stands inside the model
        return f"{key}@model{equals}{value}"
    if equals and "." in name and re.fullmatch(r"\w+", value) and (CONFIGS / name.replace(".", "/")).is_dir():
        return f"{key.replace('.', '/')}={value}"
    return word


def _value_of(key: str, overrides: Sequence[str]) -> tuple[str | None, list[str]]:
    """The value of a key as the user wrote it, and the other overrides."""
    found = [w for w in overrides if w.partition("=")[0] == key]
    if not found:
        return None, list(overrides)
    value = found[-1].partition("=")[2]
    from gantrain.overrides import unquote

    value = unquote(value)
    return (None if value == "null" else value), [w for w in overrides if w not in found]


def _show(flags: argparse.Namespace, command: str, overrides: list[str]) -> int:
    """What Hydra itself shows. The resolved job config is the one that a run would follow."""
    from hydra import compose as hydra_compose
    from hydra._internal.utils import get_args_parser
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    from gantrain.config import complete, compose, hydra_at, validate
    from gantrain.overrides import explained

    if flags.multirun:
        raise UserError("--cfg, --info and the like show one run: leave out --multirun")
    name = flags.config_name or command
    with hydra_at(flags.config_dir), explained(overrides, name):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        if flags.shell_completion:
            hydra.shell_completion(name, overrides)
            return 0
        cfg = compose(overrides, name)
        if command == "train":
            validate(cfg)
        if flags.cfg == "job":
            _print(complete(cfg) if flags.resolve and command == "train" else cfg, flags.package, flags.resolve)
        elif flags.cfg:
            whole = hydra_compose(name, overrides, return_hydra_config=True)
            _print(
                OmegaConf.masked_copy(whole, "hydra") if flags.cfg == "hydra" else whole, flags.package, flags.resolve
            )
        elif flags.info:
            hydra.show_info(flags.info, name, overrides)
        else:
            parser = get_args_parser()
            hydra.hydra_help(name, parser, parser.parse_args(["--hydra-help"]))
    return 0


def _print(cfg: DictConfig, package: str | None, resolve: bool) -> None:
    from omegaconf import OmegaConf

    shown = OmegaConf.select(cfg, package) if package else cfg
    if shown is None:
        raise UserError(f"--package: the config has no {package}")
    print(OmegaConf.to_yaml(shown, resolve=resolve) if OmegaConf.is_config(shown) else shown)


def _train(flags: argparse.Namespace, overrides: list[str]) -> int:
    run, others = _value_of("run", overrides)
    folder = Path(run).expanduser() if run else None
    if folder is not None and not folder.exists():
        raise UserError(f"run={run}: there is no such folder or checkpoint file")
    from gantrain.config import check_place, complete, compose, hydra_at

    name = flags.config_name or "train"
    if flags.multirun and run:
        raise UserError("a run goes on by itself: leave out --multirun, or leave out run=")
    if flags.multirun:
        from gantrain.commands.sweep import sweep

        return sweep(overrides, flags.config_dir, name)
    if folder is not None and (folder / "sweep.json").is_file():
        from gantrain.commands.sweep import finish

        return finish(folder, others)
    from gantrain.report.console import Console

    console = Console()
    try:
        if folder is not None:
            from gantrain.commands.train import resume

            resume(str(folder), others, console)
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

        train(cfg, console)
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
