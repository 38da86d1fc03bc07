"""What a run's folder says, read once and with patience: it may be unfinished, damaged or a stranger's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gantrain.report.html.curves import Curve, curves_of
from gantrain.runs import RunFolder, Status

Bands = Callable[[str], tuple[float, float] | None]
"""Between what values a healthy run's curve lies, by its tag; None where that is not known."""


@dataclass(frozen=True)
class Record:
    """A run as its files tell it."""

    folder: RunFolder
    status: Status
    config: str
    """As YAML text; empty where there is none."""
    lines: Sequence[Mapping[str, Any]]
    """Of metrics.jsonl."""
    protocols: Mapping[str, Mapping[str, Any]]
    evaluations: Sequence[Mapping[str, Any]]
    """What was measured after training."""

    @classmethod
    def read(cls, folder: RunFolder) -> Record:
        config, lines = "", []
        with suppress(OSError, ValueError):  # missing, or a link
            config = folder.read_config()
        with suppress(OSError, ValueError):
            lines = folder.numbers.read()
        return cls(folder, folder.status.read(), config, lines, folder.protocols.read(), folder.evaluations.read())

    @cached_property
    def standing(self) -> str | None:
        """How it stands by now; `died` where its process is gone."""
        return self.folder.status.standing()

    @property
    def name(self) -> str:
        """Its folder, and that around it, which says what it is."""
        path = self.folder.path.resolve()
        return f"{path.parent.name}/{path.name}"

    @property
    def step(self) -> int:
        """The last that was logged."""
        return max((line["step"] for line in self.lines), default=0)

    @cached_property
    def curves(self) -> dict[str, Curve]:
        return curves_of(self.lines)

    @cached_property
    def unchanged_curves(self) -> dict[str, Curve]:
        """Of a fork, how the run that it came from went on; nothing where that is not there any more."""
        origin = self.folder.origin.read()
        lines: Sequence[Mapping[str, Any]] = []
        if origin is not None:
            with suppress(OSError, ValueError):
                lines = RunFolder(Path(origin.run)).numbers.read()
            lines = [line for line in lines if line["step"] >= origin.step]
        return curves_of(lines)

    @property
    def figures(self) -> dict[str, Curve]:
        """What metrics measured while it trained, by tag."""
        return {tag: curve for tag, curve in self.curves.items() if tag.startswith("metrics/")}

    @property
    def findings(self) -> list[Mapping[str, Any]]:
        return [finding for finding in self.status.findings if isinstance(finding, Mapping)]

    @property
    def commands(self) -> list[str]:
        """The command lines that trained it, the first one first."""
        return [str(command) for command in self.status.all_commands if command]

    def last(self, tag: str) -> float | None:
        """The last finite value of a tag."""
        curve = self.curves.get(tag)
        finite = [value for value in curve.values if value is not None] if curve else []
        return finite[-1] if finite else None
