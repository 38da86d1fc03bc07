"""Sound in folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gantrain.data.cache import pack_folder
from gantrain.data.class_folders import ClassFolders
from gantrain.data.pictures import files_below
from gantrain.data.recordings import Cutting, Recordings, pack_sounds
from gantrain.data.sounds import OTHERS, has_soundfile, is_sound, readable
from gantrain.data.source import DataContext, fingerprint_of
from gantrain.errors import UserError
from gantrain.ranges import LENGTH, WIDTH, within
from gantrain.untrusted import printable

NO_PATH = "dataset=sound_folder needs the folder of your sounds: add dataset.path=…"


def sounds_below(folder: Path) -> list[Path]:
    """Every sound file below the folder, at any depth, in a stable order.

    Raises:
        UserError: there is no such folder, or no sound in it.
    """
    if folder.is_file():
        raise UserError(f"{folder} is a file: set dataset.path to a folder of sounds")
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: set dataset.path to a folder of sounds")
    files = files_below(folder)
    found = [file for file in files if is_sound(file)]
    if not found:
        others = Counter(file.suffix.lower() or "no ending" for file in files)
        instead = f", only {', '.join(f'{ending} ({n:,})' for ending, n in others.most_common(5))}" if others else ""
        compressed = not has_soundfile() and any(file.suffix.lower() in OTHERS for file in files)
        way_out = "install soundfile (pip install soundfile), which reads these" if compressed else "convert them"
        raise UserError(
            f"{folder} holds no sound ({', '.join(readable())}){printable(instead)}: set dataset.path to a folder that "
            f"does, or {way_out}"
        )
    return found


class SoundFolder(ClassFolders):
    """The user's own sounds: any nesting, rate, number of channels and bits; a sub-folder is a class.

    WAV is read with soundfile where that is installed, which reads FLAC, Ogg, MP3 and AIFF too, else with scipy. Files
    become sound of one rate; longer ones are cut into pieces, shorter ones are padded with silence.

    Args:
        path: the folder.
        length: samples of each piece.
        rate: samples a second.
        channels: 1 for the mean of all channels, 2 for stereo.
        windows: `all` pieces of a file, or the `first` alone.
        hop: samples from the beginning of one piece to that of the next; by default pieces do not overlap.
        normalise: the loudest sample of each file becomes 1.
        classes: how many sub-folders there are; `auto` counts them.

    Raises:
        ValueError: no path, or a number out of range.
    """

    name = "sound_folder"
    suited_metrics = ("mind_spectrogram", "diversity_spectrogram")
    rate: int
    files_below = staticmethod(sounds_below)

    def __init__(
        self,
        path: str | None,
        length: int = 16384,
        rate: int = 16000,
        channels: int = 1,
        windows: Literal["all", "first"] = "all",
        hop: int | None = None,
        normalise: bool = False,
        classes: int | None = None,
    ) -> None:
        if path is None:
            raise ValueError(NO_PATH)
        within(LENGTH, length=length, hop=hop)
        within("[100, 1000000]", rate=rate)
        within("[1, 64]", channels=channels)
        within(WIDTH, classes=classes)
        self.path, self.rate = Path(path).expanduser(), rate
        self.cutting = Cutting(length, rate, channels, hop or length, windows == "first", normalise)
        self.shape, self.classes = [channels, length], classes

    @classmethod
    def auto(cls, key: str, settings: Mapping[str, Any], data_dir: Path) -> Any:
        if not settings.get("path"):
            raise UserError(NO_PATH)
        folder = Path(settings["path"]).expanduser()
        if key == "classes":
            return len(cls.class_folders(folder))
        return super().auto(key, settings, data_dir)

    def recordings(self, context: DataContext) -> Recordings | None:
        """What the files of the pack were, which must be there."""
        return Recordings.read(pack_folder(context.cache, self._facts(context)))

    def settings(self, data_dir: Path) -> dict[str, Any]:
        return {"path": str(self.path.resolve()), **vars(self.cutting), "soundfile": has_soundfile()}

    def fingerprint(self, data_dir: Path) -> str:
        return fingerprint_of(sounds_below(self.path.resolve()))

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        files = sounds_below(self.path)
        real, kept = pack_sounds(files, self.path, folder, self.cutting, say)
        return {"real": real, "label": self._labels(files)[kept]}
