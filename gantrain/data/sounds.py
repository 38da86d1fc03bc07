"""Sound files: which are read, and how one becomes samples of a rate."""

from __future__ import annotations

import importlib
import importlib.util
import math
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gantrain.data.batches import FULL_SCALE

PLAIN = (".wav", ".wave")
"""Endings that scipy alone can read."""
OTHERS = (".aif", ".aiff", ".flac", ".mp3", ".ogg", ".opus")
"""Endings that soundfile reads beside."""
SILENT = 10 / FULL_SCALE
"""A sound that never goes beyond this (-70 dB) is silent."""
HALF_WIDTH = 64
"""Zero crossings of the resampling filter to each side."""
RATES = (100, 1_000_000)
"""Samples a second that a file may say it has."""


@dataclass(frozen=True)
class Recording:
    """A sound file as it was: samples a second, channels, how they are kept, and how many there are of each."""

    rate: int
    channels: int
    encoding: str
    length: int

    @property
    def seconds(self) -> float:
        return self.length / self.rate


@cache
def has_soundfile() -> bool:
    """Whether soundfile is installed, which reads more formats than WAV."""
    return importlib.util.find_spec("soundfile") is not None


def readable() -> tuple[str, ...]:
    """The endings of files that can be read here."""
    return PLAIN + (OTHERS if has_soundfile() else ())


def is_sound(file: Path) -> bool:
    return file.suffix.lower() in readable()


def read_sound(file: Path) -> tuple[np.ndarray, Recording]:
    """All of a file, float64 (channels, L) in [-1, 1], and what it was.

    Raises:
        ValueError: it is empty, broken or of a kind that is not read, or says an impossible rate.
        OSError: it cannot be opened.
    """
    values, rate, encoding = _by_soundfile(file) if has_soundfile() else _by_scipy(file)
    if not values.size:
        raise ValueError("it holds no samples")
    if not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"it says {rate:,} samples a second, which no recording has")
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not finite")
    return values, Recording(rate, len(values), encoding, values.shape[1])


def _by_soundfile(file: Path) -> tuple[np.ndarray, int, str]:
    soundfile: Any = importlib.import_module("soundfile")

    try:
        with soundfile.SoundFile(str(file)) as opened:
            return opened.read(dtype="float64", always_2d=True).T, opened.samplerate, _encoding(opened.subtype)
    except soundfile.LibsndfileError as error:
        raise ValueError(_short(error.error_string)) from error


def _encoding(subtype: str) -> str:
    """libsndfile's name of an encoding in our words."""
    kinds = {"PCM_U8": "8 bits", "PCM_S8": "8 bits", "PCM_16": "16 bits", "PCM_24": "24 bits", "PCM_32": "32 bits"}
    kinds |= {"FLOAT": "floats", "DOUBLE": "floats of 64 bits", "ULAW": "µ-law", "ALAW": "A-law"}
    return kinds.get(subtype, subtype.replace("_", " ").lower())


def _by_scipy(file: Path) -> tuple[np.ndarray, int, str]:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that are no sound, such as titles
            rate, values = wavfile.read(file)
    except OSError:
        raise
    except Exception as error:  # struct.error, ValueError, TypeError … on broken files
        raise ValueError(_short(str(error)) or type(error).__name__) from error
    return in_units(values if values.ndim == 2 else values[:, None]).T, int(rate), _bits(values)


def in_units(values: np.ndarray) -> np.ndarray:
    """Samples as scipy gives them, as float64 in [-1, 1]: 8 bits without a sign, 24 bits in the upper ones of 32.

    Raises:
        ValueError: numbers of another kind.
    """
    if values.dtype == np.uint8:
        return (values.astype(np.float64) - 128) / 128
    if values.dtype.kind == "i":
        return values / float(2 ** (8 * values.itemsize - 1))
    if values.dtype.kind != "f":
        raise ValueError(f"its samples are {values.dtype}")
    return values.astype(np.float64)


def _bits(values: np.ndarray) -> str:
    if values.dtype.kind == "f":
        return "floats" if values.itemsize == 4 else f"floats of {8 * values.itemsize} bits"
    low_byte = values.dtype == np.int32 and not (values & 0xFF).any()
    return f"{24 if low_byte else 8 * values.itemsize} bits"


def _short(text: Any) -> str:
    return " ".join(str(text).split())[:200].rstrip(".")


def resampled(values: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Sound (channels, L) of one rate as sound of another, (channels, ⌈L · wanted / rate⌉).

    By a polyphase filter (Kaiser window, 64 zero crossings to each side) that passes 90 % of what the lower rate holds
    and leaves less than -90 dB of what it cannot hold.
    """
    if rate == wanted:
        return values
    from scipy.signal import firwin, resample_poly

    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    return np.asarray(resample_poly(values, up, down, axis=1, window=_filter(max(up, down), firwin)))


@cache
def _filter(longest: int, firwin: Any) -> np.ndarray:
    return np.asarray(firwin(2 * HALF_WIDTH * longest + 1, 0.95 / longest, window=("kaiser", 10.0)))


def mixed(values: np.ndarray, channels: int) -> np.ndarray:
    """Sound (channels', L) as sound of so many channels: one is their mean, more are the first or the one repeated.

    Raises:
        ValueError: it has several channels, but not as many as are wanted.
    """
    if len(values) == channels:
        return values
    if channels == 1:
        return values.mean(0, keepdims=True)
    if len(values) == 1:
        return values.repeat(channels, 0)
    raise ValueError(f"it has {len(values)} channels where dataset.channels={channels}")


def to_int16(values: np.ndarray) -> np.ndarray:
    """Sound in [-1, 1] as int16, rounded; what lies beyond is cut off."""
    return np.rint(values * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
