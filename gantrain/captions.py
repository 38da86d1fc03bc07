"""Captions as character codes: 0 pads at the end, k + 1 stands for the k-th letter of an alphabet."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence


def plain(text: str) -> str:
    """A caption as it is learnt and asked for: in small letters, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


def alphabet_of(captions: Iterable[str]) -> str:
    """All letters of captions, in order."""
    return "".join(sorted({letter for caption in captions for letter in plain(caption)}))


def encoded(text: str, alphabet: str, length: int) -> list[int]:
    """The codes (length,) of a caption.

    Raises:
        ValueError: it is empty, has letters that are not in the alphabet, or more of them than `length`.
    """
    letters = plain(text)
    if not letters:
        raise ValueError("an empty caption says nothing: write some words")
    unknown = [letter for letter in dict.fromkeys(letters) if letter not in alphabet]
    if unknown:
        raise ValueError(
            f"the caption {text!r} has {'letters' if len(unknown) > 1 else 'a letter'} that no caption of the data set "
            f"has, {' '.join(unknown)}: use {in_words(alphabet)}"
        )
    if len(letters) > length:
        raise ValueError(f"the caption {text!r} has {len(letters)} letters, and {length} are the most: shorten it")
    return [alphabet.index(letter) + 1 for letter in letters] + [0] * (length - len(letters))


def decoded(codes: Sequence[int], alphabet: str) -> str:
    """The caption of codes (L,)."""
    return "".join(alphabet[code - 1] for code in codes if code)


def in_words(alphabet: str) -> str:
    """The letters of an alphabet, those in a row as their first and last: a-z 0-9 , . space."""
    runs: list[list[str]] = []
    for letter in sorted(alphabet.replace(" ", "")):
        follows = runs and ord(letter) == ord(runs[-1][-1]) + 1 and letter.isalnum() and runs[-1][-1].isalnum()
        if follows:
            runs[-1].append(letter)
        else:
            runs.append([letter])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else " ".join(run) for run in runs]
    return " ".join([*parts, *(["and spaces"] if " " in alphabet else [])])
