"""origin.json: where a forked run came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gantrain.files import read_text, write_text
from gantrain.untrusted import read_json


@dataclass(frozen=True)
class Origin:
    """The run that a fork went on from.

    Attributes:
        run: its folder.
        step: from which on the two differ.
        changes: the overrides that make the difference.
    """

    run: str
    step: int
    changes: Sequence[str]


class OriginFile:
    """The file origin.json of one run.

    Args:
        file: which is missing where the run is no fork.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> Origin | None:
        """What the file says; None where it is missing, a link or damaged."""
        try:
            held: Any = read_json(read_text(self._file))
            origin = Origin(str(held["run"]), int(held["step"]), [str(word) for word in held["changes"]])
        except (OSError, ValueError, KeyError, TypeError):  # ValueError: among them UserError, of a link
            return None
        return origin

    def write(self, origin: Origin) -> None:
        write_text(self._file, json.dumps(asdict(origin), indent=1))
