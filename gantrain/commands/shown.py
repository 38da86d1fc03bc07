"""What `gantrain sample` made, and the formats in which it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantrain.data.captions import write_captions
from gantrain.errors import UserError
from gantrain.files import replacing
from gantrain.report.films import write_gif, write_mp4
from gantrain.report.pictures import save
from gantrain.report.sounds import one_after_another, wav_bytes


@dataclass(frozen=True)
class Sounds:
    """Sounds (channels, L) in [-1, 1] by file name, and how many samples a second they have."""

    rate: int
    each: Callable[[], Iterable[tuple[str, np.ndarray]]]


@dataclass(frozen=True)
class Shown:
    """What was made, in the forms that it has; each is worked out when it is written.

    Attributes:
        what: says it in a few words, for the line that names the file.
        page: one picture (height, width, C) uint8.
        arrays: by name.
        frames: of a film, where there is one.
        files: pictures by file name, where there is more than one.
        wished: what was asked for besides, for the file's name.
        sounds: to be heard, where samples are such.
        captions: of each sample, what it was asked to show; beside `files` they make captions.csv.
    """

    what: str
    n: int
    page: Callable[[], np.ndarray]
    arrays: Callable[[], Mapping[str, np.ndarray]]
    frames: Callable[[], Iterable[np.ndarray]] | None = None
    files: Callable[[], Iterable[tuple[str, np.ndarray]]] | None = None
    wished: Mapping[str, str] | None = None
    sounds: Sounds | None = None
    captions: Sequence[str] = ()


def _write_page(shown: Shown, target: Path) -> None:
    save(shown.page(), target)


def _write_arrays(shown: Shown, target: Path) -> None:
    with replacing(target) as stream:
        np.savez(stream, allow_pickle=False, **shown.arrays())


def _write_gif(shown: Shown, target: Path) -> None:
    assert shown.frames is not None
    write_gif(shown.frames(), target)


def _write_mp4(shown: Shown, target: Path) -> None:
    assert shown.frames is not None
    write_mp4(shown.frames(), target)


def _write_files(shown: Shown, target: Path) -> None:
    assert shown.files is not None
    target.mkdir(exist_ok=True)
    names = []
    for name, page in shown.files():
        names.append(f"{name}.png")
        save(page, target / names[-1])
    if shown.captions:
        write_captions(target, dict(zip(names, shown.captions, strict=True)))


def _write_sounds(shown: Shown, target: Path) -> None:
    """A folder with a file for each sound; where the target is a WAV file itself, one after another in that."""
    assert shown.sounds is not None
    rate, each = shown.sounds.rate, shown.sounds.each()
    if target.suffix.lower() == WAV:
        with replacing(target) as stream:
            stream.write(wav_bytes(one_after_another(np.stack([sound for _, sound in each]), rate), rate))
        return
    target.mkdir(exist_ok=True)
    for name, sound in each:
        with replacing(target / f"{name}{WAV}", sync=False) as stream:
            stream.write(wav_bytes(sound, rate))


WAV = ".wav"
FORMATS: dict[str, Callable[[Shown, Path], None]] = {
    "png": _write_page,
    "npz": _write_arrays,
    "gif": _write_gif,
    "mp4": _write_mp4,
    "files": _write_files,
    "wav": _write_sounds,
}
"""How each format is written; those with a suffix of their own are known by it too."""
FOLDERS = ("files", "wav")
"""A folder of files, unless `out` names one file for all of them, as it may for sound."""
FILMS = ("gif", "mp4")


def format_of(asked_format: str | None, out: str | None, usual: str = "png") -> str:
    """The format to write: that of the file's suffix, where it has one; else the one asked for, or the usual one.

    Raises:
        UserError: there is no such format.
    """
    suffix = Path(out or "").suffix[1:].lower()
    if suffix in FORMATS and suffix != "files":
        return suffix
    asked_format = usual if asked_format is None else asked_format
    if asked_format not in FORMATS:
        raise UserError(f"format is {', '.join(FORMATS)}: got {asked_format}")
    return asked_format


def check_format(shown: Shown, form: str, why: str) -> None:
    """Whether what was made can be written so.

    Raises:
        UserError: it cannot; `why` says what it is.
    """
    others = "format=png or format=npz" if shown.sounds is None else "format=wav, png or npz"
    if (form in FILMS and shown.frames is None) or (form == "files" and shown.files is None):
        raise UserError(f"format={form} is for samples that are pictures, but {why}: use {others}")
    if form == "wav" and shown.sounds is None:
        raise UserError(f"format=wav is for samples that are sound, but {why}: use {others}")
