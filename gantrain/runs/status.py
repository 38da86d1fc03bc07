"""status.json: how a run stands, and since when, where and by which command."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from gantrain import __version__
from gantrain.errors import UserError
from gantrain.files import read_text, write_text
from gantrain.untrusted import read_json

BEAT = 10.0
"""Seconds between two heartbeats, at least."""


@dataclass(frozen=True)
class Status:
    """How a run stands; None for what is not known: earlier versions said less. Times are ISO 8601, in UTC."""

    status: str | None = None
    """running, finished, stopped or failed."""
    reason: str | None = None
    """Why it stopped or failed."""
    pid: int | None = None
    """The process that trains, or trained last."""
    host: str | None = None
    """The name of the computer on which that process runs."""
    machine: str | None = None
    """The device, its precision and its threads."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of gantrain, torch and python."""
    started: str | None = None
    """When that process began to train."""
    heartbeat: str | None = None
    """When it was last known to live."""
    command: str | None = None
    """The command line of that process as it was typed."""
    commands: Sequence[str] = ()
    """Every command line that trained the run, the first of all first."""
    findings: list[Mapping[str, Any]] = field(default_factory=list)
    """What was found to be wrong so far, each with name, step, title, evidence, advice and severity."""
    verdict: Mapping[str, Any] | None = None
    """Whether it works: state, sentence, evidence and advice; None before the end."""

    @property
    def all_commands(self) -> Sequence[str]:
        """`commands`; of an earlier version the one that it kept."""
        return self.commands or [command for command in (self.command,) if command]


KINDS = {"pid": int, "versions": dict, "commands": list, "findings": list, "verdict": dict}
KINDS |= {fact.name: str for fact in fields(Status) if fact.name not in KINDS}


class StatusFile:
    """The file status.json of one run.

    Args:
        file: which may be missing.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._written: Status | None = None
        self._beaten = 0.0

    def read(self) -> Status:
        """What the file says, without facts of a wrong type; an empty status where it is missing, a link or damaged."""
        try:
            held: Any = read_json(read_text(self.file))
        except (FileNotFoundError, ValueError):  # among them UserError, of a link
            return Status()
        if not isinstance(held, dict):
            return Status()
        return Status(**{name: held[name] for name, kind in KINDS.items() if isinstance(held.get(name), kind)})

    def begin(self, command: str, machine: str) -> None:
        """Says that this process trains from now on."""
        self._write(
            Status(
                status="running",
                pid=os.getpid(),
                host=platform.node(),
                machine=machine,
                versions=_versions(),
                started=_now(),
                heartbeat=_now(),
                command=command,
                commands=[*self.read().all_commands, command],
            )
        )

    def inherit(self, earlier: Status) -> None:
        """Keeps the command lines of the run of which this one is a fork; it has not begun itself."""
        if earlier.all_commands:
            self._write(Status(commands=list(earlier.all_commands)))

    def beat(self) -> None:
        """Says that the run which this object began still lives; at most every `BEAT` seconds, and not synced."""
        if self._written is not None and time.monotonic() - self._beaten >= BEAT:
            self._write(replace(self._written, heartbeat=_now()), sync=False)

    def judge(self, findings: Sequence[Mapping[str, Any]], verdict: Mapping[str, Any] | None = None) -> None:
        """Says what was found to be wrong so far, and at the end whether it works; of a run that is over, once more."""
        beat = _now() if self._written else self.read().heartbeat
        said = self._written or self.read()
        self._write(replace(said, findings=list(findings), verdict=verdict, heartbeat=beat))

    def end(self, status: str, reason: str | None = None) -> None:
        """Says how the run ended: finished, stopped or failed. What was said of its process stays."""
        said = self._written or self.read()
        self._write(replace(said, status=status, reason=reason, heartbeat=_now()))

    def refuse_if_running(self) -> None:
        """Whether this process may train in this folder.

        Raises:
            UserError: another process does.
        """
        said = self.read()
        if said.status != "running" or said.pid is None or said.pid == os.getpid() or not 0 < said.pid < 2**31:
            return
        try:
            os.kill(said.pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:  # it lives, and is another user's
            pass
        home, file = self.file.parent, self.file
        raise UserError(f"{home} is being trained by process {said.pid}: stop it first, or remove {file} if it is not")

    def _write(self, status: Status, sync: bool = True) -> None:
        write_text(self.file, json.dumps(asdict(status)), sync)
        self._written, self._beaten = status, time.monotonic()


def _versions() -> dict[str, str]:
    return {"gantrain": __version__, "torch": str(torch.__version__), "python": platform.python_version()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
