"""A sweep's folder: its plan, its jobs and its table."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gantrain.errors import UserError
from gantrain.files import read_text, refuse_link, write_text
from gantrain.locks import locked
from gantrain.runs.folder import RunFolder, fresh_folder
from gantrain.runs.workers import Workers
from gantrain.untrusted import read_json


@dataclass(frozen=True)
class SweepPlan:
    """What makes a sweep's jobs, in sweep.json: overrides as typed, and where the configs are."""

    overrides: Sequence[str]
    config_dir: str | None
    config_name: str
    metric: str | None = None
    """What a search compares jobs by."""


class JobFolder(RunFolder):
    """The folder of one run of a sweep, which holds in job.json the words that set it apart."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._words = path / "job.json"

    @property
    def is_job(self) -> bool:
        return self._words.is_file()

    def read_words(self) -> list[str]:
        """The job's overrides.

        Raises:
            UserError: the file is damaged, or a link.
        """
        damaged = f"{self._words} is damaged: remove {self.path.name}, and finish the sweep"
        try:
            words: Any = read_json(read_text(self._words))
        except UserError:
            raise
        except ValueError as error:
            raise UserError(damaged) from error
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise UserError(damaged)
        return words

    def write_words(self, words: Sequence[str]) -> None:
        write_text(self._words, json.dumps(list(words)))

    def held(self, wait: bool) -> AbstractContextManager[bool]:
        """Within, no other process runs this job; whether that could be had at once, or after a `wait`."""
        return locked(self.path / ".lock", wait)


class SweepFolder:
    """What a sweep leaves on disk: sweep.json, summary.csv, and a folder for each job: 000-hinge-seed0, 001-….

    A search also leaves study.db, from which it goes on.

    Args:
        path: of the folder, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = path / "summary.csv"
        self.report = path / "report.html"
        self.plan_file = path / "sweep.json"
        self.study = path / "study.db"
        self.workers = Workers(path / ".searching")
        self._lock = path / ".lock"

    @classmethod
    def fresh(cls, outputs: Path, name: str) -> SweepFolder:
        """A new empty one among the outputs' sweeps of this name."""
        return cls(fresh_folder(outputs / "sweeps" / name))

    def __str__(self) -> str:
        return str(self.path)

    @property
    def is_sweep(self) -> bool:
        return self.plan_file.is_file()

    def read_plan(self) -> SweepPlan:
        """How the sweep was begun.

        Raises:
            UserError: the file is damaged, or it or anything else in the folder is a link.
        """
        for path in self.path.iterdir():  # jobs' folders, and what Hydra writes beside them
            refuse_link(path)
        damaged = f"{self.plan_file} is damaged: begin the sweep anew"
        try:
            held: Any = read_json(read_text(self.plan_file))
            plan = SweepPlan(held["overrides"], held["config_dir"], held["config_name"], held.get("metric"))
            words = (*plan.overrides, plan.config_dir or "", plan.config_name, plan.metric or "")
            whole = all(isinstance(word, str) for word in words)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(damaged) from error
        if not whole:
            raise UserError(damaged)
        return plan

    @property
    def objective(self) -> str | None:
        """The tag of the figure by which a search compares its runs; None of other sweeps, and where no file says."""
        with suppress(UserError, OSError):
            return self.read_plan().metric
        return None

    def write_plan(self, plan: SweepPlan) -> None:
        write_text(self.plan_file, json.dumps(asdict(plan), indent=1))

    def job(self, words: Sequence[str], label: str, number: int | None = None) -> JobFolder:
        """The folder of the job with these words: the one that it has, else a new one.

        Args:
            label: stands in a new folder's name, behind its number.
            number: of a new one; by default, and where another job has it, the next.
        """
        with locked(self._lock):
            there = self.jobs()
            for job in there:
                if job.read_words() == list(words):
                    return job
            taken = {int(found[0]) for job in there if (found := re.match(r"\d+", job.path.name))}
            if number is None or number in taken:
                number = max(taken, default=-1) + 1
            job = JobFolder(self.path / f"{number:03d}{'-' * bool(label)}{label}")
            refuse_link(job.path).mkdir(
                exist_ok=True
            )  # it is there where a process was killed here, or the disk was full
            job.write_words(words)
            return job

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Within, no other process takes trials or makes a job's folder."""
        with locked(self._lock):
            yield

    def next_number(self) -> int:
        """A number that nobody who works on the sweep has had: 0 for the first, 1 for the next …"""
        file = self.path / ".workers"
        with locked(self._lock):
            number = len(read_text(file)) if file.exists() else 0
            write_text(file, "." * (number + 1))
        return number

    def jobs(self) -> list[JobFolder]:
        """The folders of the jobs that have begun, in order, without links."""
        paths = (path for path in sorted(self.path.iterdir()) if not path.is_symlink())
        return [job for job in map(JobFolder, paths) if job.is_job]

    def write_table(self, text: str) -> None:
        """What became of each job, as CSV."""
        write_text(self.table, text)

    def remove_unless_begun(self) -> None:
        """Takes back what was written before it was found that a job has no config."""
        if self.path.is_dir() and not self.jobs():
            shutil.rmtree(self.path)
            for parent in (self.path.parent, self.path.parent.parent, self.path.parent.parent.parent):
                with suppress(OSError):  # others have runs in there
                    parent.rmdir()
