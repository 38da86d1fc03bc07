"""How many sound files become one pack, and what these files were."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gantrain.data.originals import NOTES
from gantrain.data.packing import NAMED, QUIET, read_each
from gantrain.data.sounds import SILENT, Recording, mixed, read_sound, resampled, to_int16
from gantrain.data.wholeness import allocated
from gantrain.errors import UserError
from gantrain.untrusted import printable

PART_KEPT = 0.5
"""The last piece of a file that was cut is kept where so much of it is sound, and padded with silence."""


@dataclass
class Recordings:
    """All files of a pack of sound.

    Attributes:
        rates, channels, encodings: how many of the files that were kept have which.
        seconds: how long each of these is.
        names: of the pieces that were packed, in the order of the pack: a file's name from the data set's folder on,
            and where it begins in a file that was cut.
        cut, padded: how many files were cut into pieces, and how many pieces end in silence.
        broken, silent: files that were left out; the broken ones with what was wrong.
        quiet: how many pieces of other files were left out because they are silent.
    """

    rates: dict[str, int] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    encodings: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    cut: int = 0
    padded: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    quiet: int = 0

    def keep(self, recording: Recording) -> None:
        """Notes a file of which something was packed."""
        facts = ((self.rates, recording.rate), (self.channels, recording.channels))
        for held, value in (*facts, (self.encodings, recording.encoding)):
            held[str(value)] = held.get(str(value), 0) + 1
        self.seconds.append(round(recording.seconds, 3))

    @property
    def left_out(self) -> int:
        return len(self.broken) + len(self.silent)

    def write(self, folder: Path) -> None:
        (folder / NOTES).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Recordings | None:
        """Those of a pack; None where there are none."""
        try:
            held: Any = json.loads((folder / NOTES).read_text())
            return cls(**held)
        except (OSError, ValueError, TypeError):
            return None


@dataclass(frozen=True)
class Cutting:
    """How a file becomes pieces of one length.

    Attributes:
        length, rate, channels: of each piece.
        hop: samples from the beginning of one piece to that of the next.
        first: only the first piece of a file counts.
        normalise: the loudest sample of each file becomes 1.
    """

    length: int
    rate: int
    channels: int
    hop: int
    first: bool
    normalise: bool

    def read(self, file: Path) -> tuple[np.ndarray, list[int], Recording]:
        """A file's pieces that are not silent, int16 (n, channels, length), where each begins, and what the file was.

        Raises:
            ValueError, OSError: it cannot be read, or has other channels.
        """
        values, recording = read_sound(file)
        values = resampled(mixed(values, self.channels), recording.rate, self.rate)
        if self.normalise and (peak := np.abs(values).max()) > SILENT:
            values = values / peak
        starts = self._starts(values.shape[1])
        pieces = np.zeros((len(starts), self.channels, self.length), np.int16)
        for piece, start in zip(pieces, starts, strict=True):
            part = to_int16(values[:, start : start + self.length])
            piece[:, : part.shape[1]] = part
        loud = np.abs(pieces.astype(np.int32)).max((1, 2)) > SILENT * 2**15
        return pieces[loud], [start for start, kept in zip(starts, loud, strict=True) if kept], recording

    def _starts(self, length: int) -> list[int]:
        if self.first or length <= self.length:
            return [0]
        starts = list(range(0, length - self.length + 1, self.hop))
        rest = starts[-1] + self.hop
        return [*starts, rest] if length - rest >= PART_KEPT * self.length and length - rest > 0 else starts

    def pieces(self, recording: Recording) -> int:
        """Into how many pieces such a file is cut, silent ones too."""
        return len(self._starts(-(-recording.length * self.rate // recording.rate)))

    def ends_in_silence(self, recording: Recording, start: int) -> bool:
        return start + self.length > -(-recording.length * self.rate // recording.rate)


def pack_sounds(
    files: Sequence[Path], top: Path, folder: Path, cutting: Cutting, say: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Reads sound files with a few threads into a memory map in `folder`.

    Broken and silent files are left out, the first ones named; what the files were is noted there too.

    Returns:
        the memory map int16 (N, channels, length) and for each piece the index (N,) of its file.

    Raises:
        UserError: nothing is left.
    """
    kept: list[int] = []
    notes, told, raw = Recordings(), time.monotonic(), folder / "all.npy.part"
    with raw.open("wb") as stream:
        for index, found in enumerate(read_each(files, cutting.read)):
            name = printable(str(files[index].relative_to(top)))
            if isinstance(found, Exception):
                notes.broken[name] = _reason(found)
                _name(name, notes.broken[name], notes.left_out, say)
            elif not len(found[0]):
                notes.silent.append(name)
                _name(name, "it is silent", notes.left_out, say)
            else:
                _keep(notes, name, found, cutting)
                stream.write(np.ascontiguousarray(found[0]).tobytes())
                kept += [index] * len(found[0])
            if time.monotonic() - told > QUIET:
                say(f"data: {index + 1:,} of {len(files):,} sound files read")
                told = time.monotonic()
    if notes.left_out:
        counts = {"broken": len(notes.broken), "silent": len(notes.silent)}
        listed = " and ".join(f"{count:,} {word}" for word, count in counts.items() if count)
        say(f"data: of {len(files):,} sound files {listed}, which were skipped")
    _refuse_nothing(notes, top)
    notes.write(folder)
    return _as_array(raw, folder / "real.npy", (len(kept), cutting.channels, cutting.length)), np.asarray(kept)


def _name(name: str, reason: str, number: int, say: Callable[[str], None]) -> None:
    if number <= NAMED:
        say(f"data: skipped {name}: {reason}")


def _keep(notes: Recordings, name: str, found: tuple[np.ndarray, list[int], Recording], cutting: Cutting) -> None:
    """Notes a file and its pieces."""
    _, starts, recording = found
    notes.keep(recording)
    count = cutting.pieces(recording)
    notes.cut += count > 1
    notes.quiet += count - len(starts)
    notes.padded += sum(cutting.ends_in_silence(recording, start) for start in starts)
    notes.names += [name if count == 1 else f"{name} from {start / cutting.rate:.2f} s" for start in starts]


def _refuse_nothing(notes: Recordings, top: Path) -> None:
    """Raises UserError where no file is left."""
    if notes.names:
        return
    if notes.broken:
        name, reason = next(iter(notes.broken.items()))
        counts = Counter(broken=len(notes.broken), silent=len(notes.silent))
        listed = " and ".join(f"{count:,} {word}" for word, count in counts.items() if count)
        raise UserError(f"no sound file in {top} can be used, {listed}; {name} first ({reason}): mend or replace them")
    raise UserError(
        f"all {len(notes.silent):,} sound files in {top} are silent, {notes.silent[0]} first: look whether they were "
        "saved well, or set dataset.path to others"
    )


def _reason(error: Exception) -> str:
    return printable(" ".join(str(error).split()))[:200] or type(error).__name__


def _as_array(raw: Path, file: Path, shape: tuple[int, int, int]) -> np.memmap:
    """The bytes of one file as a memory map of numpy's own kind in another."""
    there = np.memmap(raw, np.int16, "r", shape=shape)
    real = allocated(file, shape, np.int16)
    for start in range(0, len(there), 4096):
        real[start : start + 4096] = there[start : start + 4096]
    del there
    raw.unlink()
    return real
