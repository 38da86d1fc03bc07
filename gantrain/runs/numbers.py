"""metrics.jsonl: every logged number, one line of JSON for each step that was logged."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from gantrain.errors import UserError
from gantrain.files import append, read, replacing, write_text
from gantrain.untrusted import read_json

TAIL = 2**16
"""Bytes in which the last line is looked for."""


class LoggedNumbers:
    """The file metrics.jsonl of one run: {"step": 100, "loss/generator/total": 0.69, …}; null is no finite number.

    Args:
        file: which may be missing.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stream: TextIO | None = None
        self._waiting = b""

    def read(self) -> list[dict[str, Any]]:
        """Its lines, without those that are cut off or damaged.

        Raises:
            UserError: it is a link.
        """
        return _lines(self.content())

    def since(self, size: int) -> list[dict[str, Any]]:
        """The lines after so many bytes."""
        return _lines(self.content()[size:])

    def last_step(self) -> int | None:
        """The step that was logged last, from the end of the file alone; None where there is none, or it is a link."""
        with suppress(OSError, UserError), read(self.file) as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL))
            return next((line["step"] for line in reversed(_lines(stream.read()))), None)
        return None

    def open(self, step: int, size: int | None = None) -> list[dict[str, Any]]:
        """Opens the file to add to, without what is beyond this step or size, and returns the lines that stay.

        Args:
            size: bytes that were logged when this step was saved; None where that is not known.
        """
        self.close()
        logged = self.content()
        whole = logged if size is None else logged[: logged.rfind(b"\n", 0, max(size, 0)) + 1]
        kept = [line for line in _lines(whole) if line["step"] <= step]
        write_text(self.file, "".join(json.dumps(line) + "\n" for line in kept))
        self._stream = append(self.file)
        return kept

    def cut(self, step: int, size: int | None = None) -> None:
        """Drops what is beyond this step or size, as `open` does."""
        self.open(step, size)
        self.close()

    def drop_figures(self, step: int) -> None:
        """Takes out what evaluations of a step gave."""
        kept = [line for line in self.read() if line["step"] != step or not any(map(_is_figure, line))]
        write_text(self.file, "".join(json.dumps(line) + "\n" for line in kept))

    def add(self, values: Mapping[str, float], step: int) -> bool:
        """A line, in the open file: each value by its tag, to seven digits.

        Returns:
            whether the file has it; else it waits, with those before it, until there is room.
        """
        finite = {tag: float(f"{value:.7g}") if math.isfinite(value) else None for tag, value in values.items()}
        self._waiting += json.dumps({"step": step, **finite}).encode() + b"\n"
        return self._write_waiting()

    def _write_waiting(self) -> bool:
        assert self._stream is not None, "open comes first"
        number = self._stream.fileno()
        size = os.fstat(number).st_size
        try:
            left = memoryview(self._waiting)
            while left:
                left = left[os.write(number, left) :]
        except OSError:
            os.ftruncate(number, size)  # no line is there by halves
            return False
        self._waiting = b""
        return True

    def sync(self) -> bool:
        """Waits until the disk has every line for which there is room; whether these are all."""
        if self._stream is not None:
            self._write_waiting()
            os.fsync(self._stream.fileno())
        return not self._waiting

    def close(self) -> None:
        if self._stream is not None:
            self._write_waiting()
            self._waiting = b""
            self._stream.close()
            self._stream = None

    def content(self) -> bytes:
        """The whole file as it is; nothing where there is none.

        Raises:
            UserError: it is a link.
        """
        try:
            with read(self.file) as stream:
                return stream.read()
        except FileNotFoundError:
            return b""

    def put(self, content: bytes) -> None:
        """What another run's file holds, in the place of what is there."""
        with replacing(self.file) as stream:
            stream.write(content)


def _is_figure(tag: str) -> bool:
    return tag.startswith("metrics/")


def _lines(logged: bytes) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for line in logged.split(b"\n"):
        try:
            held = read_json(line)
        except ValueError:  # of its text, or of its letters
            continue
        if isinstance(held, dict) and isinstance(held.get("step"), int):
            lines.append(held)
    return lines
