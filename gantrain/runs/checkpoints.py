"""checkpoints/: whole files or none, tensors and plain values only, each with a checksum."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gantrain.errors import UserError
from gantrain.files import folder_in, read, refuse_link, replacing
from gantrain.runs.checksums import save_with_checksum, verify
from gantrain.runs.parts import is_whole
from gantrain.untrusted import read_tensors

FORMAT = 2
FOLDER = "checkpoints"


class CheckpointFiles:
    """The folder checkpoints/ of one run: files named by their step as in `step_00001000.pt`, and `best.pt`.

    Args:
        path: of the folder, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.best = path / "best.pt"

    def make(self) -> None:
        """Makes the folder where it is missing, and removes what a killed run was writing.

        Raises:
            UserError: it is a link.
        """
        folder_in(self.path.parent, self.path.name)
        for partial in self.path.glob(".*.part"):
            partial.unlink(missing_ok=True)

    def of_step(self, step: int | str) -> Path:
        """The checkpoint of this step, which may be missing."""
        return self.path / f"step_{step:0>8}.pt"

    def by_step(self) -> list[Path]:
        """The checkpoints that are there for a step, oldest first."""
        found = (file for file in self.path.glob("step_*.pt") if re.fullmatch(r"step_\d{8,}\.pt", file.name))
        return sorted(found, key=_step_of)

    def last(self) -> Path | None:
        """The checkpoint of the latest step."""
        return next(reversed(self.by_step()), None)

    def last_step(self) -> int | None:
        """The latest step for which there is a checkpoint."""
        last = self.last()
        return None if last is None else _step_of(last)

    @property
    def has_any(self) -> bool:
        return bool(self.by_step()) or self.best.is_file()

    def find(self, which: str = "last") -> Path:
        """The checkpoint of this name: `last`, `best` or a step.

        Raises:
            UserError: there is none, or it is a link.
        """
        refuse_link(self.path)
        last = self.last()
        if which == "last" and last is not None:
            return refuse_link(last)
        file = self.best if which == "best" else self.of_step(which)
        if file.is_file():
            return refuse_link(file)
        have = ", ".join(str(_step_of(held)) for held in self.by_step())
        raise UserError(
            f"{self.path.parent} has no checkpoint {which!r}"
            + (f": it has the steps {have}" if have else ", nor any other")
        )

    def load_last(self, say: Callable[[str], None], set_aside: bool = True) -> dict[str, Any]:
        """The content of the last checkpoint that is whole, or else of best.pt.

        Args:
            say: is told of each that is not, and of each that is of another version.
            set_aside: rename these, so that they neither count nor get lost.

        Raises:
            UserError: there is none, or one is a link.
        """
        refused = dict[Path, _Unfit]()
        for file in (*reversed(self.by_step()), *([self.best] if self.best.is_file() else [])):
            refuse_link(file)
            try:
                state = _read(file)
            except _Unfit as error:
                refused[file] = error
                continue
            for damaged, reason in refused.items():
                say(f"skipped: {reason}")
                if set_aside:
                    damaged.rename(damaged.with_name(f"damaged_{damaged.name}"))
            return state
        for reason in refused.values():
            raise UserError(
                f"{self.path.parent} has no checkpoint that is whole ({reason}): start anew, or go on from another "
                "file with run=<file>"
            )
        return load_checkpoint(self.find())

    def save(self, state: Mapping[str, Any], step: int, keep: int) -> Path:
        """Writes the state of a step, then removes all but the last `keep`.

        Args:
            state: tensors and plain values by the names in `PARTS`.
        """
        file = self.of_step(step)
        with replacing(file) as stream:
            save_with_checksum({"format": FORMAT, **state}, stream)
        for old in self.by_step()[:-keep]:
            old.unlink()
        return file

    def mark_best(self, file: Path) -> None:
        """Keeps a copy of a checkpoint as best.pt."""
        with read(file) as source, replacing(self.best) as stream:
            shutil.copyfileobj(source, stream)

    def best_figure(self, tag: str, latest: int | None = None) -> float | None:
        """The figure of this tag for which best.pt was chosen, where there is one from no later than the step `latest`.

        Raises:
            UserError: best.pt or the folder is a link.
        """
        refuse_link(self.path)
        if not refuse_link(self.best).is_file():
            return None
        progress: Any = {}
        with suppress(UserError):  # a damaged one gives way to the next
            progress = load_checkpoint(self.best)["progress"]
        figures = progress.get("figures") if isinstance(progress, dict) else None
        if not isinstance(figures, dict) or (latest is not None and progress.get("step", 0) > latest):
            return None
        return figures.get(tag)


def find_checkpoint(path: Path, which: str = "last") -> Path:
    """The checkpoint file of a run's folder: `last`, `best` or a step. A checkpoint file stands for itself.

    Raises:
        UserError: there is none, or it is a link.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(f"there is no run {path}")
    return CheckpointFiles(path / FOLDER).find(which)


def load_checkpoint(file: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU.

    Raises:
        UserError: the file is no checkpoint of gantrain, or not as it was written.
        OSError, MemoryError: it cannot be read now, which says nothing against it.
    """
    try:
        return _read(file)
    except _Unfit as error:
        raise UserError(f"{error}: choose another one") from error.__cause__


def _step_of(file: Path) -> int:
    return int(file.stem[5:])


class _Unfit(ValueError):
    """A file that is no checkpoint, and why."""


def _read(file: Path) -> dict[str, Any]:
    try:
        with read(file) as stream:
            verify(stream)
            state = read_tensors(stream)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # whatever an unpickler makes of a stranger's bytes
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise _Unfit(f"{file} is damaged or no checkpoint of gantrain") from error
    if not is_whole(state) or state.get("format") != FORMAT:
        raise _Unfit(f"{file} is no checkpoint of this version of gantrain")
    return state
