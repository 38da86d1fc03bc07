"""What a run's figures were measured with, and those that were measured later."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gantrain.files import append, read_text, write_text
from gantrain.untrusted import read_json


class ProtocolFile:
    """The file protocols.json of one run: by tag, under what conditions its figures were measured.

    Args:
        file: which may be missing.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> dict[str, dict[str, Any]]:
        """The protocol of each tag, as plain values; none where the file is missing, a link or damaged."""
        try:
            held: Any = read_json(read_text(self.file))
        except (FileNotFoundError, ValueError):  # among them UserError, of a link
            return {}
        return {tag: facts for tag, facts in held.items() if isinstance(facts, dict)} if isinstance(held, dict) else {}

    def add(self, protocols: Mapping[str, Mapping[str, Any]]) -> None:
        """Puts these beside those of other tags."""
        held = self.read()
        both = {**held, **{tag: dict(facts) for tag, facts in protocols.items()}}
        if both != held:
            write_text(self.file, json.dumps(both, indent=1, sort_keys=True))


class EvaluationFile:
    """The file evaluations.jsonl of one run, a line for each checkpoint that was evaluated after training.

    A line is {"step": 1000, "checkpoint": "step_00001000.pt", "figures": {tag: value}, "protocols": {tag: {…}}}.

    Args:
        file: which may be missing.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(self) -> list[dict[str, Any]]:
        """Its lines, oldest first, without damaged ones; none where the file is missing or a link."""
        lines: list[dict[str, Any]] = []
        try:
            text = read_text(self.file)
        except (FileNotFoundError, ValueError):
            return lines
        for line in text.splitlines():
            try:
                held = read_json(line)
            except ValueError:
                continue
            if isinstance(held, dict) and isinstance(held.get("figures"), dict) and isinstance(held.get("step"), int):
                lines.append(held)
        return lines

    def add(
        self, step: int, checkpoint: str, figures: Mapping[str, float], protocols: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """A line, in which null stands for no finite number.

        Raises:
            UserError: the file is a link.
        """
        finite = {tag: value if math.isfinite(value) else None for tag, value in figures.items()}
        line = {"step": step, "checkpoint": checkpoint, "figures": finite, "protocols": dict(protocols)}
        with append(self.file) as stream:
            print(json.dumps(line), file=stream)
