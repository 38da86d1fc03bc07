"""Sound files and sources of sound for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.io import wavfile

from gantrain.data import DataContext


def context(cache: Path, said: list[str] | None = None) -> DataContext:
    say = (lambda text: None) if said is None else said.append
    return DataContext(cache, torch.device("cpu"), cache=cache / "cache", say=say)


def sine(frequency: float, rate: int, seconds: float, loud: float = 0.5) -> np.ndarray:
    """(L,) float64."""
    return loud * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def write(file: Path, wave: np.ndarray, rate: int, bits: str = "16") -> Path:
    """A WAV file of (L,) or (L, channels) in [-1, 1], in one of the encodings that WAV has."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if bits == "24":
        import soundfile

        soundfile.write(file, wave, rate, subtype="PCM_24")
        return file
    values = {
        "8": lambda: np.rint(wave * 127 + 128).astype(np.uint8),
        "16": lambda: np.rint(wave * 32767).astype(np.int16),
        "32": lambda: np.rint(wave * (2**31 - 1)).astype(np.int32),
        "float": lambda: wave.astype(np.float32),
        "double": lambda: wave.astype(np.float64),
    }[bits]()
    wavfile.write(file, rate, values)
    return file


def strongest(wave: np.ndarray, rate: int) -> float:
    """The frequency in Hz at which sound (L,) is strongest, refined between bins."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 8 * len(wave)))
    return float(np.argmax(spectrum) * rate / (8 * len(wave)))
