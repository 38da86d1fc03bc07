"""sinks.json: as what a run is known elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gantrain.files import read_text, write_text
from gantrain.untrusted import read_json


class SinkFile:
    """The file sinks.json of one run: by tracker, the name or number under which the tracker keeps the run.

    A run that goes on continues there; one that was forked begins anew.

    Args:
        file: which may be missing.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> dict[str, str]:
        """The run's name by tracker; empty where the file is missing, a link or damaged."""
        try:
            held: Any = read_json(read_text(self.file))
        except (FileNotFoundError, ValueError):  # among them UserError, of a link
            return {}
        return {k: v for k, v in held.items() if isinstance(v, str)} if isinstance(held, dict) else {}

    def add(self, tracker: str, name: str) -> None:
        """Puts one beside the others."""
        held = self.read()
        if held.get(tracker) != name:
            write_text(self.file, json.dumps({**held, tracker: name}))
