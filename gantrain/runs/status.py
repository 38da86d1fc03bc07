"""status.json: how a run stands, and since when, where and by which command."""

from __future__ import annotations

import json
import math
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from gantrain import __version__
from gantrain.errors import UserError
from gantrain.files import read_text, write_over, write_text
from gantrain.locks import OwnLock
from gantrain.untrusted import read_json

BEAT = 10.0
"""Seconds between two heartbeats, at least."""
SILENT = 60.0
"""Seconds after its last heartbeat in which a process on another computer is taken to live."""


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
        self.lock = OwnLock(file.with_name("run.lock"))
        self._written: Status | None = None
        self._beaten = 0.0
        self._one_at_a_time = threading.RLock()

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
        earlier = self.read()
        self._write(
            Status(
                status="running",
                pid=os.getpid(),
                host=platform.node(),
                machine=machine,
                versions=_versions(),
                started=earlier.started or _now(),
                heartbeat=_now(),
                command=command,
                commands=[*earlier.all_commands, command],
            )
        )

    def inherit(self, earlier: Status) -> None:
        """Keeps the command lines of the run of which this one is a fork; it has not begun itself."""
        if earlier.all_commands:
            self._write(Status(commands=list(earlier.all_commands)))

    def beat(self) -> None:
        """Says that the run which this object began still lives; at most every `BEAT` seconds, and not synced."""
        with self._one_at_a_time:
            if self._written is not None and time.monotonic() - self._beaten >= BEAT:
                self._write(replace(self._written, heartbeat=_now()), sync=False)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Inside, a thread says again and again that the run lives, however long a step or an evaluation takes."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT):
                with suppress(OSError, UserError):  # a full disk: the next one may find room
                    self.beat()

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def judge(self, findings: Sequence[Mapping[str, Any]], verdict: Mapping[str, Any] | None = None) -> None:
        """Says what was found to be wrong so far, and at the end whether it works; of a run that is over, once more."""
        with self._one_at_a_time:
            beat = _now() if self._written else self.read().heartbeat
            said = self._written or self.read()
            self._write(replace(said, findings=list(findings), verdict=verdict, heartbeat=beat))

    def end(self, status: str, reason: str | None = None) -> None:
        """Says how the run ended: finished, stopped or failed. What was said of its process stays.

        Of a run that another process trains nothing is said.
        """
        with self._one_at_a_time:
            if self._written is None and not self.lock.mine and self._lives(self.read()):
                return
            said = self._written or self.read()
            self._write(replace(said, status=status, reason=reason, heartbeat=_now()))

    def standing(self) -> str | None:
        """How the run stands by now: as the status says, or `died` where this says running and no process lives."""
        said = self.read()
        return "died" if said.status == "running" and not self._lives(said) else said.status

    def age(self) -> float | None:
        """Seconds since the run was last heard of; None where it was never."""
        heartbeat = self.read().heartbeat
        age = math.inf if heartbeat is None else _age(heartbeat)
        return max(age, 0.0) if math.isfinite(age) else None

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Inside, no other process trains in this folder.

        Raises:
            UserError: another does.
        """
        if self.lock.mine:
            yield
            return
        self.refuse_if_running()
        with self.lock.hold(self._refusal):
            yield

    def refuse_if_running(self) -> None:
        """Whether this process may train in this folder.

        Raises:
            UserError: another process does.
        """
        said = self.read()
        here = (said.pid, said.host) == (os.getpid(), platform.node())
        if not self.lock.mine and not here and self._lives(said):
            raise self._refusal()

    def _refusal(self) -> UserError:
        said, home = self.read(), self.file.parent
        where = f" on {said.host}" if said.host else ""
        if self.lock.is_held():
            known = said.status == "running" and _is_process(said.pid)
            who = f"process {said.pid}{where}" if known else "another process"
            return UserError(f"{home} is being trained by {who}: wait for it, or stop it first")
        return UserError(
            f"{home} is being trained by process {said.pid}{where}: stop it first, or remove {self.file} if it is not"
        )

    def _lives(self, said: Status) -> bool:
        """Whether the process lives that trains here: by its lock, by its number, or from afar by its heartbeat."""
        held = self.lock.is_held()
        if held or said.status != "running":
            return bool(held)
        if said.host is not None and said.host != platform.node():
            return said.heartbeat is not None and _age(said.heartbeat) < SILENT
        return not (held is False and said.host is not None) and _is_process(said.pid)

    def _write(self, status: Status, sync: bool = True) -> None:
        self._written, self._beaten = status, time.monotonic()
        text = json.dumps(asdict(status))
        try:
            write_text(self.file, text, sync)
        except OSError:  # a full disk: what is there has room enough for the truth
            short = json.dumps(asdict(replace(status, findings=[], verdict=None)))
            for fitting in (text, short):
                with suppress(OSError):
                    write_over(self.file, fitting)
                    return


def _is_process(pid: int | None) -> bool:
    """Whether a process of this computer has this number."""
    if pid is None or not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is another user's
        pass
    return True


def _age(moment: str) -> float:
    """Seconds since a moment; for ever where it is none."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):
        return math.inf


def _versions() -> dict[str, str]:
    return {"gantrain": __version__, "torch": str(torch.__version__), "python": platform.python_version()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
