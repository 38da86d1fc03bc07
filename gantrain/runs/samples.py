"""samples/: the names of a run's pictures and sounds."""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from gantrain.files import folder_in, read, replacing

LONGEST = 60
"""Signs that a word of the user's takes in a file's name at most."""
TELLING = 8
"""Hexadecimal digits that tell words which are cut there from others that begin alike."""


def _short(word: str) -> str:
    """A word as part of a file's name: no spaces, and none of the signs that mean something to a file system.

    Long ones are cut, and end in a hash over the whole.
    """
    simple = re.sub(r"[^\w.,+=-]+", "-", word).strip("-")
    if len(simple) <= LONGEST:
        return simple
    told = hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()[:TELLING]
    return f"{simple[: LONGEST - TELLING - 1].strip('-')}-{told}"


class SampleFiles:
    """The folder samples/ of one run: a picture for each step that was drawn, real data, and what was asked for later.

    Beside the picture of sounds lies a WAV file in which the first of them are heard.

    Args:
        path: of the folder, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.real = path / "real.png"
        self.final = path / "final.png"
        self.animation = path / "training.gif"

    def make(self) -> None:
        """Makes the folder where it is missing.

        Raises:
            UserError: it is a link.
        """
        folder_in(self.path.parent, self.path.name)

    def of_step(self, step: int) -> Path:
        """The picture of this step, which may be missing."""
        return self.path / f"{step:08d}.png"

    @staticmethod
    def heard(picture: Path) -> Path:
        """Where the sounds of a picture are heard; missing where it shows none."""
        return picture.with_suffix(".wav")

    @property
    def has_real(self) -> bool:
        """Whether the picture of real data is there, and neither it nor the folder is a link."""
        return self.real.is_file() and not self.real.is_symlink() and not self.path.is_symlink()

    def by_step(self) -> list[Path]:
        """The pictures that are there for a step, oldest first; none where the folder is a link."""
        if self.path.is_symlink():
            return []
        found = (file for file in self.path.glob("*.png") if re.fullmatch(r"\d{8,}", file.stem))
        return sorted((file for file in found if not file.is_symlink()), key=lambda file: int(file.stem))

    def rewind(self, step: int) -> None:
        """Removes the pictures beyond this step."""
        for file in self.by_step():
            if int(file.stem) > step:
                file.unlink()
                self.heard(file).unlink(missing_ok=True)

    def keep_last_as_final(self) -> None:
        """Copies the last step's picture to final.png, and what is heard of it to final.wav."""
        last = self.by_step()[-1]
        pairs = [(last, self.final), (self.heard(last), self.heard(self.final))]
        for old, new in pairs if self.heard(last).is_file() else pairs[:1]:
            with read(old) as source, replacing(new) as stream:
                shutil.copyfileobj(source, stream)

    def asked(self, step: int, n: int, seed: int, words: Mapping[str, str], suffix: str) -> Path:
        """The file of n samples that were asked for with this seed and these words, such as class=3.

        Without a suffix it is a folder.
        """
        return self.path / f"step{step}_n{n}_seed{seed}{_said(words)}{suffix and '.'}{suffix}"

    def translated(self, step: int, name: str, seed: int, words: Mapping[str, str]) -> Path:
        """A folder for what is made of a user's pictures, whose file or folder has this name, with these words.

        It is missing or empty: where there is one with files, the next has a number.
        """
        first = f"step{step}_{_short(name)}_seed{seed}{_said(words)}"
        names = (first if number == 1 else f"{first}_{number}" for number in itertools.count(1))
        return next(place for name in names if not _filled(place := self.path / name))


def _filled(place: Path) -> bool:
    """Whether something stands there that would be written over."""
    return place.is_symlink() or (place.exists() and not (place.is_dir() and not any(place.iterdir())))


def _said(words: Mapping[str, str]) -> str:
    return "".join(f"_{word}-{_short(value)}" for word, value in words.items())
