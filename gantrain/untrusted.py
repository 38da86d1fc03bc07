"""What a stranger wrote: names, made fit to be shown; JSON and pickles, read as the data that they should be."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO, ClassVar

BROKEN = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, EOFError, RuntimeError, ArithmeticError, MemoryError),
    *(AttributeError, LookupError, TypeError, ValueError),
)
"""What unpickling raises of bytes that are damaged, or were made to harm."""


def printable(name: str) -> str:
    """A name from a stranger's disk in signs that every terminal can show: others as their numbers."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)


def printable_lines(text: str) -> str:
    """The same of several lines, which stay lines, with tabs: nothing in them moves a terminal's cursor."""
    return text if text.isprintable() else "\n".join("\t".join(map(printable, row)) for row in _rows(text))


def _rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.split("\n")]


def read_json(text: str | bytes) -> Any:
    """The value in a JSON text.

    Raises:
        ValueError: it is none, or nests deeper than anything that gantrain writes.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error


WORDS = """
PROTO FRAME STOP MARK EMPTY_DICT EMPTY_LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS SETITEM SETITEMS
NONE NEWTRUE NEWFALSE INT LONG LONG1 BININT BININT1 BININT2 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE
BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL
STACK_GLOBAL REDUCE NEWOBJ BUILD BINPERSID
"""
"""Of pickle's instructions those that data needs."""
DEEPEST = 100
"""Levels of what is pickled. Tuples in tuples many thousands deep crash Python where they become a key."""
MOST = 10_000_000
"""Values in all, where one that is named again counts as often: a tuple of itself, doubled again and again, is a key
whose hash never ends."""
LEGACY = 5
"""Pickles at the beginning of a file in the format that `torch.save` had before it was a zip archive."""
_READER: Any = pickle._Unpickler


class DataUnpickler(_READER):
    """Reads a pickle in which only what is listed may be named: nothing else is imported, called or changed.

    It is Python's own reader in Python. That in C takes as much memory as a few damaged bytes ask for.

    Args:
        known: what stands for each name, by its module and itself.
        encoding: of the words that Python 2 pickled.
    """

    def __init__(self, content: bytes, known: Mapping[tuple[str, str], Any], encoding: str = "ASCII") -> None:
        super().__init__(io.BytesIO(content), encoding=encoding)
        self._content, self._known = content, known

    def load(self) -> Any:
        """What is pickled.

        Raises:
            BROKEN: it is damaged, or more than data.
        """
        check_nesting(io.BytesIO(self._content))
        return super().load()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"it holds {printable(f'{module}.{name}')}, which is no data")
        return self._known[module, name]

    def load_build(self) -> None:
        """Gives an object its state, where its class says how it takes one."""
        if not hasattr(type(self.stack[-2]), "__setstate__"):
            raise pickle.UnpicklingError("it changes an object that has no state")
        _READER.load_build(self)

    dispatch: ClassVar[dict[int, Any]] = {
        **{getattr(pickle, word)[0]: _READER.dispatch[getattr(pickle, word)[0]] for word in WORDS.split()},
        pickle.BUILD[0]: load_build,
    }


def read_tensors(stream: BinaryIO) -> Any:
    """What `torch.save` wrote, on the CPU: tensors and plain values alone.

    Raises:
        BROKEN, OSError: it is damaged, or holds anything else.
    """
    import torch

    if stream.read(4) == b"PK\3\4":
        with zipfile.ZipFile(stream) as archive:
            for member in archive.infolist():
                if member.compress_type != zipfile.ZIP_STORED:  # could unpack to more than there is memory
                    raise pickle.UnpicklingError(f"{printable(member.filename)} in it is compressed")
                if member.filename.endswith("data.pkl"):
                    check_nesting(io.BytesIO(archive.read(member)))
    else:
        stream.seek(0)
        for _ in range(LEGACY):
            check_nesting(stream)
    stream.seek(0)
    return torch.load(stream, map_location="cpu", weights_only=True)


def check_nesting(stream: BinaryIO) -> None:
    """Whether a pickle makes nothing that is nested too deeply, or too much; nothing is made of it here.

    Raises:
        UnpicklingError: it does.
        BROKEN: it is damaged.
    """
    stack: list[tuple[int, int] | None] = []  # of each object there its levels and its values; None for a mark
    memo: dict[Any, tuple[int, int] | None] = {}
    for word, argument, _ in pickletools.genops(stream):
        if word.name == "MARK":
            stack.append(None)
        elif word.name == "MEMOIZE" or word.name.endswith("PUT"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif word.name.endswith("GET"):
            stack.append(memo[argument])
        else:
            taken = _taken(stack, [kind.name for kind in word.stack_before])
            levels, values = 1 + max((level for level, _ in taken), default=0), 1 + sum(held for _, held in taken)
            if levels > DEEPEST:
                raise pickle.UnpicklingError(f"it nests more than {DEEPEST} levels deep")
            if values > MOST:
                raise pickle.UnpicklingError(f"it holds more than {MOST:,} values")
            stack += [(levels, values)] * len(word.stack_after)


def _taken(stack: list[tuple[int, int] | None], kinds: list[str]) -> list[tuple[int, int]]:
    """Takes from the stack what an instruction of pickle's does, given the kinds that it says."""
    taken: list[tuple[int, int] | None] = []
    if "mark" in kinds:
        while (top := stack.pop()) is not None:
            taken.append(top)
        kinds = kinds[: kinds.index("mark")]
    taken += [stack.pop() for _ in kinds]
    return [held for held in taken if held is not None]
