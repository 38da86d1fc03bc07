"""A run's folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TextIO

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
        return bool(self._events())

    def logged(self) -> dict[str, int]:
        """How many bytes each file to which numbers are added has by now."""
        files = [self.numbers.file, *self._events()]
        return {file.name: file.stat().st_size for file in files if file.is_file()}

    def rewind(self, step: int, logged: Mapping[str, int] | None) -> list[dict[str, Any]]:
        """Drops what was logged and drawn after a step was saved, and returns the lines of numbers that stay.

        Args:
            logged: what `logged` said then; None of a checkpoint that does not tell: then all of this step stays.

        Raises:
            UserError: one of the files is a link.
        """
        for folder in (self.path, refuse_link(self.samples.path)):
            for partial in folder.glob(".*.part"):  # what a killed run was writing
                if not partial.name.startswith(f".{self.status.file.name}"):  # which is written while this goes on
                    partial.unlink(missing_ok=True)
        if logged is not None:
            self.rewind_events(logged)
        self.samples.rewind(step)
        return self.numbers.open(step, None if logged is None else logged.get(self.numbers.file.name, 0))

    def rewind_events(self, logged: Mapping[str, int]) -> None:
        """Drops what TensorBoard was told after `logged` said this.

        Raises:
            UserError: one of its files is a link.
        """
        for file in self._events():
            size = refuse_link(file).stat().st_size
            stays = logged.get(file.name)
            if stays is None:
                file.unlink()
            elif 0 <= stays < size:
                os.truncate(file, stays)

    def _events(self) -> list[Path]:
        return sorted(self.path.glob("events.out.tfevents.*"))

    def fork(self, parent: Path, state: Mapping[str, Any], changed: bool = False) -> Self:
        """A new one below `parent`, which goes on from one of this one's checkpoints.

        It has this checkpoint, the numbers that were logged so far and the commands that made them.

        Args:
            state: the checkpoint's content.
            changed: as another run, of which the figures of this very step are not.

        Raises:
            UserError: they are in a link.
        """
        past, step = self.numbers.content(), state["progress"]["step"]
        fork = self.fresh(parent)
        try:
            fork.numbers.put(past)
            if changed:
                fork.numbers.cut(step, (state.get("logged") or {}).get(self.numbers.file.name))
                fork.numbers.drop_figures(step)
                state = {**state, "logged": fork.logged()}
            fork.status.inherit(self.status.read())
            fork.checkpoints.make()
            fork.checkpoints.save(state, step, keep=1)
        except BaseException:
            shutil.rmtree(fork.path, ignore_errors=True)
            raise
        return fork


def runs_below(folder: Path) -> Iterator[RunFolder]:
    """The runs at any depth below a folder, itself among them, in the order of their paths; links are not followed."""
    run = RunFolder(folder)
    if run.has_config or run.status.file.is_file():
        yield run
        return
    with suppress(PermissionError):
        for inside in sorted(folder.iterdir()):
            if inside.is_dir() and not inside.is_symlink():
                yield from runs_below(inside)


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
