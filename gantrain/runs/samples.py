"""samples/: the names of a run's pictures."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from gantrain.files import folder_in, read, replacing


class SampleFiles:
    """The folder samples/ of one run: a picture for each step that was drawn, real data, and what was asked for later.

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

    @property
    def has_real(self) -> bool:
        """Whether the picture of real data is there, and neither it nor the folder is a link."""
        return self.real.is_file() and not self.real.is_symlink() and not self.path.is_symlink()

    def by_step(self) -> list[Path]:
        """The pictures that are there for a step, oldest first; none where the folder is a link."""
        if self.path.is_symlink():
            return []
        found = (file for file in self.path.glob("*.png") if re.fullmatch(r"\d{8,}", file.stem))
        return sorted(file for file in found if not file.is_symlink())

    def rewind(self, step: int) -> None:
        """Removes the pictures beyond this step."""
        for file in self.by_step():
            if int(file.stem) > step:
                file.unlink()

    def keep_last_as_final(self) -> None:
        """Copies the last step's picture to final.png."""
        with read(self.by_step()[-1]) as source, replacing(self.final) as stream:
            shutil.copyfileobj(source, stream)

    def asked(self, step: int, n: int, seed: int, words: Mapping[str, str], suffix: str) -> Path:
        """The file of n samples that were asked for with this seed and these words, such as class=3.

        Without a suffix it is a folder.
        """
        wished = "".join(f"_{word}-{value}" for word, value in words.items())
        return self.path / f"step{step}_n{n}_seed{seed}{wished}{suffix and '.'}{suffix}"
