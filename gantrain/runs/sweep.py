"""A sweep's folder: its plan, its jobs and its table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gantrain.errors import UserError
from gantrain.files import read_text, refuse_link, write_text
from gantrain.runs.folder import RunFolder, fresh_folder


@dataclass(frozen=True)
class SweepPlan:
    """What makes a sweep's jobs, in sweep.json: overrides as typed, and where the configs are."""

    overrides: Sequence[str]
    config_dir: str | None
    config_name: str


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
            UserError: the file is a link.
        """
        return json.loads(read_text(self._words))

    def write_words(self, words: Sequence[str]) -> None:
        write_text(self._words, json.dumps(list(words)))


class SweepFolder:
    """What a sweep leaves on disk: sweep.json, summary.csv, and a folder 000, 001, … for each job.

    Args:
        path: of the folder, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = path / "summary.csv"
        self.report = path / "report.html"
        self.plan_file = path / "sweep.json"

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
            held: Any = json.loads(read_text(self.plan_file))
            plan = SweepPlan(held["overrides"], held["config_dir"], held["config_name"])
            whole = all(isinstance(word, str) for word in (*plan.overrides, plan.config_dir or "", plan.config_name))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(damaged) from error
        if not whole:
            raise UserError(damaged)
        return plan

    def write_plan(self, plan: SweepPlan) -> None:
        write_text(self.plan_file, json.dumps(asdict(plan), indent=1))

    def job_name(self, number: int) -> str:
        """The name of a job's folder, by its number from 0 on."""
        return f"{number:03d}"

    def jobs(self) -> list[JobFolder]:
        """The folders of the jobs that have begun, in order, without links."""
        paths = (path for path in sorted(self.path.iterdir()) if not path.is_symlink())
        return [job for job in map(JobFolder, paths) if job.is_job]

    def write_table(self, text: str) -> None:
        """What became of each job, as CSV."""
        write_text(self.table, text)

    def remove_unless_begun(self) -> None:
        """Takes back what Hydra wrote before it found that a job has no config."""
        if self.path.is_dir() and not self.plan_file.exists():
            shutil.rmtree(self.path)
            for parent in (self.path.parent, self.path.parent.parent, self.path.parent.parent.parent):
                with suppress(OSError):  # others have runs in there
                    parent.rmdir()
