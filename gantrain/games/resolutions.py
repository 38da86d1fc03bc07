"""What games that make pictures at several resolutions share."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence


def resolution_asked(words: MutableMapping[str, str], there: Sequence[int]) -> int | None:
    """The resolution among a user's words, out of which it is taken; None where there is none.

    Raises:
        ValueError: it is none of those that there are.
    """
    word = words.pop("resolution", None)
    if word is None:
        return None
    if not word.isdecimal() or int(word) not in there:
        raise ValueError(f"resolution={word} is none of this run's: use {', '.join(map(str, there))}")
    return int(word)
