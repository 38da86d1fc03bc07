"""exports/: generators for other programs, each with a card that says what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gantrain.files import folder_in, write_text

SUFFIXES = {"safetensors": "safetensors", "onnx": "onnx", "torch": "pt"}
"""Of each format."""


class ExportFiles:
    """The folder exports/ of one run.

    Args:
        path: of the folder, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Makes the folder where it is missing.

        Raises:
            UserError: it is a link.
        """
        folder_in(self.path.parent, self.path.name)

    def of_step(self, step: int, averaged: bool, kind: str) -> Path:
        """The generator of a step in a format, which may be missing."""
        return self.path / f"generator_step{step}{'' if averaged else '_live'}.{SUFFIXES[kind]}"


def card_beside(file: Path) -> Path:
    """The card of an exported generator."""
    return file.with_suffix(".json")


def write_card(file: Path, card: Mapping[str, Any]) -> None:
    """Puts a card beside an exported generator."""
    text = json.dumps(card, indent=1)
    in_lines = re.compile(r"\[\n([^\[\]{}]*?)\n\s*\]")  # of plain values, such as a shape; no string holds a line break
    text = in_lines.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    write_text(card_beside(file), text + "\n")
