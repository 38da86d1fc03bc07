"""Sound: pages that show it, and files that play it."""

from __future__ import annotations

import io
import math
import wave
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, PAPER, WAVE = (40, 40, 40), (255, 255, 255), (59, 111, 182)
RATE = 16_000
"""Samples a second, where the data does not say it."""
SHOWN, HEARD = 16, 8
"""Sounds on a page, and those of them that are kept to be heard."""
PAUSE = 0.2
"""Seconds of silence between sounds that follow each other in a file."""
WIDTH, WAVE_HEIGHT, BAND_HEIGHT, GAP = 240, 48, 96, 8
"""Pixels of a sound on the page: its width, its wave's height, its spectrogram's, and the space around it."""
DECIBELS = 60.0
"""Between the brightest and the darkest of a spectrogram."""
WARP = 11.4
"""The axis of frequency is about that of the mel scale: half of it is the lowest fifth."""


@dataclass(frozen=True)
class SoundPage:
    """A picture of sounds, and the first of these to be heard.

    Attributes:
        page: (height, width, 3) uint8.
        heard: (n, channels, L) in [-1, 1].
        rate: samples a second.
    """

    page: np.ndarray
    heard: np.ndarray
    rate: int


Page = np.ndarray | SoundPage
"""A picture (height, width, C) uint8, with its sounds where it shows such."""


class SoundSheet:
    """Sounds in rows, each with its wave above its spectrogram.

    Args:
        rate: samples a second.
        columns: how many stand in a row; by default, and where so many would be too narrow or too wide, four.
    """

    def __init__(self, rate: int, columns: int | None = None) -> None:
        self.rate, self.columns = rate, columns

    def render(self, samples: np.ndarray, title: str) -> np.ndarray:
        """The picture (height, width, 3) uint8 of sounds (N, channels, L) in [-1, 1], which are heard as their mean."""
        asked = self.columns if self.columns and 2 <= self.columns <= 8 else 4
        columns = min(asked, len(samples))
        waves = np.nan_to_num(samples.mean(1)).clip(-1, 1)
        height, width, top = WAVE_HEIGHT + BAND_HEIGHT + GAP, WIDTH + GAP, 30
        page = Image.new("RGB", (max(columns * width + GAP, 620), top - (-len(waves) // columns) * height), PAPER)
        seconds = samples.shape[2] / self.rate
        words = f"{seconds:.2g} s each; above the wave, below its spectrum from 0 to {self.rate / 2000:g} kHz"
        words = f"{title}: {words}" if title else words
        ImageDraw.Draw(page).text((GAP, 8), words, INK, ImageFont.load_default(14))
        colours = _colours()
        for k, one in enumerate(waves):
            cell = np.concatenate([_drawn_wave(one), colours[_spectrum(one)]])
            page.paste(Image.fromarray(cell), (GAP + k % columns * width, top + k // columns * height))
        return np.asarray(page)


def _colours() -> np.ndarray:
    """256 colours (256, 3) uint8 from silent to loud."""
    from matplotlib import colormaps

    return (colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def _drawn_wave(values: np.ndarray) -> np.ndarray:
    """A wave (L,) as pixels (WAVE_HEIGHT, WIDTH, 3): between the lowest and the highest of each column."""
    cell = np.full((WAVE_HEIGHT, WIDTH, 3), 245, np.uint8)
    ends = np.linspace(0, len(values), WIDTH + 1).astype(int)
    for k in range(WIDTH):
        part = values[ends[k] : max(ends[k + 1], ends[k] + 1)]
        high, low = ((1 - limit) / 2 * (WAVE_HEIGHT - 1) for limit in (part.max(), part.min()))
        cell[int(high) : int(low) + 1, k] = WAVE
    return cell


def _spectrum(values: np.ndarray) -> np.ndarray:
    """A spectrogram (BAND_HEIGHT, WIDTH) uint8 of a wave (L,): high frequencies above, 255 for a tone at full scale."""
    size = min(2 ** min(max(round(math.log2(len(values) / 16)), 5), 10), len(values))
    window = np.hanning(size + 2)[1:-1]
    centres = np.linspace(0, len(values), WIDTH, endpoint=False).astype(int)
    padded = np.pad(values, (size // 2, size))
    frames = np.stack([padded[centre : centre + size] for centre in centres]) * window
    magnitude = np.abs(np.fft.rfft(frames, 4 * size)) / (window.sum() / 2)
    places = ((1 + WARP) ** np.linspace(1, 0, BAND_HEIGHT) - 1) / WARP * (magnitude.shape[1] - 1)
    loud = 20 * np.log10(magnitude[:, places.round().astype(int)].T + 1e-9)
    return ((loud / DECIBELS + 1).clip(0, 1) * 255).round().astype(np.uint8)


def one_after_another(sounds: np.ndarray, rate: int) -> np.ndarray:
    """Sounds (n, channels, L) as one (channels, L'), with a short pause between two."""
    pause = np.zeros((sounds.shape[1], round(PAUSE * rate)), sounds.dtype)
    parts = [part for sound in sounds for part in (sound, pause)]
    return np.concatenate(parts[:-1], 1)


def wav_bytes(sound: np.ndarray, rate: int) -> bytes:
    """A WAV file of 16 bits of sound (channels, L) in [-1, 1]; what lies beyond is cut off."""
    whole = np.rint(np.nan_to_num(sound) * 2**15).clip(-(2**15), 2**15 - 1).astype("<i2")
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(len(whole))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(whole.T).tobytes())
    return stream.getvalue()
