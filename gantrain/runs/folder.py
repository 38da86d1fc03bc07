"""A run's folder."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Self, TextIO

from gantrain.files import append, folder_in, read_text, refuse_link, write_text
from gantrain.runs.checkpoints import FOLDER, CheckpointFiles
from gantrain.runs.exports import ExportFiles
from gantrain.runs.judgements import EvaluationFile, ProtocolFile
from gantrain.runs.numbers import LoggedNumbers
from gantrain.runs.origin import OriginFile
from gantrain.runs.samples import SampleFiles
from gantrain.runs.sinks import SinkFile
from gantrain.runs.status import StatusFile


class RunFolder:
    """What a run leaves on disk. It may be a stranger's: no link in it is followed.

    Args:
        path: of the folder, which may be missing or hold nothing yet; only what is asked for is looked at.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.status = StatusFile(path / "status.json")
        self.numbers = LoggedNumbers(path / "metrics.jsonl")
        self.checkpoints = CheckpointFiles(path / FOLDER)
        self.samples = SampleFiles(path / "samples")
        self.exports = ExportFiles(path / "exports")
        self.protocols = ProtocolFile(path / "protocols.json")
        self.evaluations = EvaluationFile(path / "evaluations.jsonl")
        self.sinks = SinkFile(path / "sinks.json")
        self.origin = OriginFile(path / "origin.json")
        self.report = path / "report.html"
        self._config = path / "config.yaml"

    @classmethod
    def fresh(cls, parent: Path) -> Self:
        """A new empty one below `parent`, named by the time."""
        return cls(fresh_folder(parent))

    @classmethod
    def of(cls, path: Path) -> Self:
        """The one that a path stands for: a folder for itself, a checkpoint file for the run that wrote it."""
        return cls(path if path.is_dir() else path.parent.parent)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def has_config(self) -> bool:
        """Whether a run has begun here."""
        return self._config.is_file()

    def read_config(self) -> str:
        """The run's complete config as YAML text.

        Raises:
            UserError: it is a link.
            FileNotFoundError: no run has begun here.
        """
        return read_text(self._config)

    def write_config(self, text: str) -> None:
        write_text(self._config, text)

    def open_log(self) -> TextIO:
        """run.log, to add lines to.

        Raises:
            UserError: it is a link.
        """
        return append(self.path / "run.log")

    def fresh_projector(self, name: str) -> Path:
        """An empty folder for TensorBoard's projector, in the place of what was there under this name.

        Raises:
            UserError: it is a link, or lies in one.
        """
        folder = refuse_link(folder_in(self.path, "projector") / name)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        return folder

    def has_events(self) -> bool:
        """Whether TensorBoard has been written to."""
        return any(self.path.glob("events.out.tfevents.*"))

    def fork(self, parent: Path) -> Self:
        """A new one below `parent`, with the numbers that this one has logged and the commands that made them.

        Raises:
            UserError: they are in a link.
        """
        past = self.numbers.text()
        fork = self.fresh(parent)
        fork.numbers.put(past)
        fork.status.inherit(self.status.read())
        return fork


def fresh_folder(parent: Path) -> Path:
    """Makes <parent>/<time>, with a number behind it where that is taken, so that no two runs share a folder."""
    parent.mkdir(parents=True, exist_ok=True)
    stamp, number = time.strftime("%Y-%m-%d_%H-%M-%S"), 1
    while True:
        folder = parent / (stamp if number == 1 else f"{stamp}_{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
