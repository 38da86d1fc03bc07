"""The bundled sounds: synthetic notes of which everything is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gantrain.data.batches import Batches
from gantrain.data.sounds import to_int16
from gantrain.data.source import DataContext, PackedSource
from gantrain.ranges import COUNT, LENGTH, POSITIVE, within

TIMBRES: Mapping[str, Sequence[float]] = {
    "pure": (1.0,),
    "hollow": (1.0, 0.0, 0.35, 0.0, 0.15),
    "bright": (1.0, 0.5, 0.33, 0.25, 0.2, 0.17),
    "mellow": (1.0, 0.4, 0.1),
}
"""How strong each harmonic is, the first of which is the pitch."""
ATTACK, DECAY, PEAK = (0.005, 0.03), (0.08, 0.4), (0.5, 0.9)
"""Seconds until a note is loudest, seconds in which it falls to 1/e after that, and how loud it is then."""
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def frequency_of(note: str) -> float:
    """Hertz of a note such as A4, C#5 or Bb3, equally tempered, A4 being 440.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"([A-G])([#b]?)(\d)", note)
    if not found:
        raise ValueError(f"{note} is no pitch: write a letter from A to G, # or b where needed, and an octave: A4, C#5")
    letter, sign, octave = found.groups()
    above = STEPS[letter] + {"#": 1, "b": -1, "": 0}[sign] + 12 * (int(octave) - 4) - STEPS["A"]
    return float(440.0 * 2 ** (above / 12))


class Notes(PackedSource):
    """Synthetic notes: each has one of some pitches, one of four timbres, and an envelope of its own; needs no files.

    A note is a sum of harmonics that all begin with phase 0, rises in a straight line and then decays. The label is
    its pitch. All of it follows from `seed`.

    Args:
        count: how many notes there are.
        length: samples of each.
        rate: samples a second.
        pitches: by name; A4 is 440 Hz.

    Raises:
        ValueError: a pitch is none, is named twice, or is too high for the rate; or a number is out of range.
    """

    name = "notes"
    licence = "made by gantrain: free of rights"
    suited_metrics = ("pitch", "diversity_spectrogram")
    rate: int

    def __init__(
        self, count: int = 2000, length: int = 4096, rate: int = 8000, pitches: Sequence[str] = ("A4",), seed: int = 0
    ) -> None:
        within(COUNT, count=count)
        within(LENGTH, length=length)
        within(POSITIVE, rate=rate)
        self.number, self.rate, self.pitches, self.seed = count, rate, list(pitches), seed
        self.frequencies = [frequency_of(pitch) for pitch in self.pitches]
        if not self.pitches or len(set(self.frequencies)) < len(self.pitches):
            raise ValueError("dataset.pitches names no pitch, or one twice: name each once, such as [C4,E4,G4]")
        if max(self.frequencies) > rate / 4:
            raise ValueError(
                f"pitches up to {max(self.frequencies):.0f} Hz need a rate of {4 * max(self.frequencies):.0f} or more, "
                f"got {rate}: raise dataset.rate, or leave out the highest"
            )
        self.shape, self.classes = [1, length], len(self.pitches)

    def count(self, data_dir: Path) -> int | None:
        return self.number

    def class_names(self, data_dir: Path) -> Sequence[str]:
        return self.pitches

    def settings(self, data_dir: Path) -> dict[str, Any]:
        return {"count": self.number, "length": self.shape[1], "rate": self.rate, "pitches": self.pitches} | {
            "seed": self.seed
        }

    def fingerprint(self, data_dir: Path) -> str:
        return "synthetic"

    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        draw = np.random.default_rng(self.seed)
        label = np.arange(self.number) % len(self.pitches)
        timbre = draw.integers(len(TIMBRES), size=self.number)
        attack, decay, peak = (draw.uniform(*ends, self.number) for ends in (ATTACK, DECAY, PEAK))
        seconds = np.arange(self.shape[1]) / self.rate
        real = np.empty((self.number, *self.shape), np.int16)
        for k, pitch in enumerate(label):
            wave = tone(self.frequencies[pitch], list(TIMBRES.values())[timbre[k]], seconds, self.rate)
            real[k, 0] = to_int16(peak[k] * wave * envelope(seconds, attack[k], decay[k]))
        return {"real": real, "label": label.astype(np.int64), "timbre": timbre.astype(np.int64)}

    def open(self, context: DataContext) -> Batches:
        fields = self.fields(context)
        return self._serve({name: fields[name] for name in ("real", "label")}, context)


def tone(frequency: float, harmonics: Sequence[float], seconds: np.ndarray, rate: int) -> np.ndarray:
    """The sum of the harmonics below half the rate at these times, (L,); its largest value may come near 1."""
    there = [(k, part) for k, part in enumerate(harmonics, 1) if part and k * frequency < rate / 2]
    wave = sum(part * np.sin(2 * np.pi * k * frequency * seconds) for k, part in there)
    return np.asarray(wave / sum(part for _, part in there))


def envelope(seconds: np.ndarray, attack: float, decay: float) -> np.ndarray:
    """Loudness (L,) at these times: a straight rise to 1 within `attack` seconds, and exponential decay after it."""
    return np.minimum(seconds / attack, np.exp(-np.maximum(seconds - attack, 0) / decay))
