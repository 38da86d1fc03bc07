"""What the files of a pack were before they were packed: noted while they are read, for whoever asks later."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

NOTES = "notes.json"
"""Beside the arrays of a pack."""


@dataclass(frozen=True)
class Original:
    """One picture file: its height and width as it is shown, its mode in PIL's words, and what else was found.

    Attributes:
        turned: the camera was held otherwise than the pixels lie in the file.
        animated: it holds more pictures than the first, which is taken.
        clear: some of it is see-through.
    """

    size: tuple[int, int]
    mode: str
    turned: bool = False
    animated: bool = False
    clear: bool = False


@dataclass
class Originals:
    """All files of a pack.

    Attributes:
        sizes: how many of the pictures that were kept have which height and width, as "<height>x<width>".
        modes: how many have which mode.
        turned, animated, clear: how many were so.
        names: of the pictures that were kept, in the order of the pack, from the data set's folder on.
        broken: of those that were left out, with what was wrong.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    turned: int = 0
    animated: int = 0
    clear: int = 0
    names: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    def keep(self, name: str, original: Original) -> None:
        """Notes a picture that was packed."""
        size = "x".join(map(str, original.size))
        self.sizes[size] = self.sizes.get(size, 0) + 1
        self.modes[original.mode] = self.modes.get(original.mode, 0) + 1
        self.turned += original.turned
        self.animated += original.animated
        self.clear += original.clear
        self.names.append(name)

    def treated(self, channels: int) -> list[str]:
        """What was done to some of the files so that they have so many channels, a few words for each way."""
        done = {
            "turned upright, as the camera was held": self.turned,
            "with several pictures, of which the first is taken": self.animated,
            "see-through in parts, which became white": self.clear if channels != 4 else 0,
        }
        return [f"{count:,} {words}" for words, count in done.items() if count]

    def by_size(self) -> dict[tuple[int, int], int]:
        """How many have which (height, width)."""
        found: Counter[tuple[int, int]] = Counter()
        for words, count in self.sizes.items():
            height, width = map(int, words.split("x"))
            found[height, width] += count
        return dict(found)

    def write(self, folder: Path) -> None:
        (folder / NOTES).write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Originals | None:
        """Those of a pack; None where its source notes nothing."""
        try:
            held: Mapping[str, Any] = json.loads((folder / NOTES).read_text())
            return cls(**held)
        except (OSError, ValueError, TypeError):
            return None
