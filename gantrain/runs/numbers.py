"""metrics.jsonl: every logged number, one line of JSON for each step that was logged."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from gantrain.files import append, read_text, write_text
from gantrain.untrusted import read_json


class LoggedNumbers:
    """The file metrics.jsonl of one run: {"step": 100, "loss/generator/total": 0.69, …}; null is no finite number.

    Args:
        file: which may be missing.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stream: TextIO | None = None

    def read(self) -> list[dict[str, Any]]:
        """Its lines; from one on that is cut off or damaged they are left out.

        Raises:
            UserError: it is a link.
        """
        lines: list[dict[str, Any]] = []
        try:
            text = read_text(self.file)
        except (FileNotFoundError, UnicodeDecodeError):
            return lines
        for line in text.splitlines():
            try:
                held = read_json(line)
            except ValueError:
                break
            if isinstance(held, dict) and isinstance(held.get("step"), int):
                lines.append(held)
        return lines

    def open(self, step: int) -> list[dict[str, Any]]:
        """Opens the file to add to, without what is beyond this step, and returns the lines that stay."""
        self.close()
        kept = [line for line in self.read() if line["step"] <= step]
        write_text(self.file, "".join(json.dumps(line) + "\n" for line in kept))
        self._stream = append(self.file)
        return kept

    def add(self, values: Mapping[str, float], step: int) -> None:
        """A line, in the open file: each value by its tag, to seven digits."""
        assert self._stream is not None, "open comes first"
        finite = {tag: float(f"{value:.7g}") if math.isfinite(value) else None for tag, value in values.items()}
        print(json.dumps({"step": step, **finite}), file=self._stream, flush=True)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def text(self) -> str:
        """The whole file as it is; nothing where there is none.

        Raises:
            UserError: it is a link.
        """
        return read_text(self.file) if self.file.is_file() else ""

    def put(self, text: str) -> None:
        """The text of another run's file, in the place of what is there."""
        write_text(self.file, text)
