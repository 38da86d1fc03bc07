"""The front door: a word picks a command, the rest are Hydra overrides; any failure is one line and an exit code."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence

from gantrain import __version__
from gantrain.commands.dispatch import COMMANDS
from gantrain.commands.help import command_help, general_help
from gantrain.commands.together import is_follower, started_together
from gantrain.errors import Stopped, UserError
from gantrain.files import FULL
from gantrain.signals import raised_signals
from gantrain.terminal import print_any_letters, show
from gantrain.untrusted import printable_lines

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
"""What Hydra's --info tells about."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code: 0 done, 1 failed while running, 2 the user's mistake, 128 + signal stopped."""
    words = list(sys.argv[1:] if argv is None else argv)
    print_any_letters()
    try:
        with raised_signals():
            return _run(words)
    except UserError as error:
        if not is_follower():
            show(f"gantrain: {printable_lines(str(error))}", sys.stderr)
        return 2
    except Stopped as stopped:
        if not is_follower():
            show(f"gantrain: stopped by {stopped.name}", sys.stderr)
        return stopped.exit_code
    except KeyboardInterrupt:
        show("gantrain: interrupted", sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as head, went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("GANTRAIN_TRACEBACK"):
            raise
        show(f"gantrain: {_said(error)}", sys.stderr)
        show("gantrain: set GANTRAIN_TRACEBACK=1 to see where; run.log in the run's folder has it too", sys.stderr)
        return 1


def _said(error: Exception) -> str:
    """An error that nobody foresaw, as a line."""
    if isinstance(error, OSError) and error.errno in FULL:
        where = f" for {error.filename}" if error.filename else ""
        return printable_lines(f"there is no room on the disk{where} ({error.strerror}): make some, and try again")
    return printable_lines(f"{type(error).__name__}: {error}")


def _run(words: list[str]) -> int:
    flags = _parse(words)
    flags.command_line = shlex.join(["gantrain", *words])
    command, overrides = "train", list(flags.overrides)
    if overrides and re.fullmatch(r"[a-z_]+", overrides[0]):
        command = overrides.pop(0)
    if command not in COMMANDS:
        from gantrain.config import nearest, whole_word

        hint = nearest(command, list(COMMANDS)) or whole_word(command)
        raise UserError(f"there is no command {command}{hint} (one of: {', '.join(COMMANDS)})")
    if flags.version:
        print(f"gantrain {__version__}")
        return 0
    if flags.help:
        print(command_help(command) if command in words else general_help())
        return 0
    for package in filter(None, (flags.trust or "").split(",")):
        os.environ["GANTRAIN_TRUST"] = ",".join(filter(None, [os.environ.get("GANTRAIN_TRUST"), package]))
    if started_together() and command != "train":
        raise UserError(f"gantrain {command} works in one process: start it without torchrun")
    from gantrain.config import prepare

    prepared = [prepare(word, flags.multirun) for word in overrides]
    if flags.cfg or flags.info or flags.shell_completion or flags.hydra_help:
        from gantrain.commands.show import show as show_config

        return show_config(flags, command, prepared)
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
