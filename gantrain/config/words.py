"""What the nearest known word is."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from gantrain.options import options_of

ALONE = ("dataset", "model", "loss", "experiment", "sweep", "tricks", "metrics")
"""Groups whose options people type without the group."""


def nearest(word: str, known: Sequence[str]) -> str:
    """', did you mean …?' for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f", did you mean {close[0]}?" if close else ""


def whole_word(word: str) -> str:
    """', did you mean …?' for the option, the run or the pictures that a word without a key names, or nothing."""
    keys = [group for group in ALONE if word in options_of(group)]
    keys += ["run", "dataset.path"] if _is_there(word) else []
    return f", did you mean {' or '.join(f'{key}={word}' for key in keys)}?" if keys else ""


def _is_there(word: str) -> bool:
    try:
        return Path(word).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # too long for a name, nobody's home, a zero in it: no path at all
        return False
