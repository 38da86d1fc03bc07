"""What `gantrain sample` made, and the formats in which it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantrain.errors import UserError
from gantrain.files import replacing
from gantrain.report.films import write_gif, write_mp4
from gantrain.report.pictures import save


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
    """

    what: str
    n: int
    page: Callable[[], np.ndarray]
    arrays: Callable[[], Mapping[str, np.ndarray]]
    frames: Callable[[], Iterable[np.ndarray]] | None = None
    files: Callable[[], Iterable[tuple[str, np.ndarray]]] | None = None
    wished: Mapping[str, str] | None = None


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
    for name, page in shown.files():
        save(page, target / f"{name}.png")


FORMATS: dict[str, Callable[[Shown, Path], None]] = {
    "png": _write_page,
    "npz": _write_arrays,
    "gif": _write_gif,
    "mp4": _write_mp4,
    "files": _write_files,
}
"""How each format is written; those with a suffix of their own are known by it too."""
FOLDERS = ("files",)
FILMS = ("gif", "mp4")


def format_of(asked_format: str, out: str | None) -> str:
    """The format to write: that of the file's suffix, where it has one.

    Raises:
        UserError: there is no such format.
    """
    suffix = Path(out or "").suffix[1:]
    if suffix in FORMATS and suffix not in FOLDERS:
        return suffix
    if asked_format not in FORMATS:
        raise UserError(f"format is {', '.join(FORMATS)}: got {asked_format}")
    return asked_format


def check_format(shown: Shown, form: str, why: str) -> None:
    """Whether what was made can be written so.

    Raises:
        UserError: it cannot; `why` says what it is.
    """
    if (form in FILMS and shown.frames is None) or (form in FOLDERS and shown.files is None):
        raise UserError(f"format={form} is for samples that are pictures, but {why}: use format=png or format=npz")
