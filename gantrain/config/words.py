"""What the nearest known word is."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def nearest(word: str, known: Sequence[str]) -> str:
    """', did you mean …?' for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f", did you mean {close[0]}?" if close else ""
