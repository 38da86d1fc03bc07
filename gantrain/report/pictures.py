"""Images: pixels, grids, files and films."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from gantrain.files import read, replacing


def to_pixels(samples: np.ndarray) -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1] to uint8 (N, H, W, C)."""
    scaled = np.nan_to_num((samples + 1) * 127.5).round().clip(0, 255)
    return scaled.astype(np.uint8).transpose(0, 2, 3, 1)


class ImageGrid:
    """Images side by side, with a thin gap between them.

    Small images are enlarged, pixel by pixel, so that the picture has at least `least` pixels across, unless that would
    make it very tall.

    Args:
        columns: how many images stand in a row; by default as many as rows, or one more.
    """

    def __init__(self, columns: int | None = None, least: int = 512) -> None:
        self.columns, self.least = columns, least

    def render(self, samples: np.ndarray, title: str) -> np.ndarray:
        """The picture (height, width, C or 3) uint8 of images (N, C, H, W) in [-1, 1]; there is no room for a title."""
        pixels = to_pixels(samples)
        n, height, width, channels = pixels.shape
        if channels == 1:
            pixels = pixels.repeat(3, axis=3)
        columns = self.columns or math.ceil(math.sqrt(n))
        rows = math.ceil(n / columns)
        zoom = max(1, min(round(self.least / (columns * width)), 4 * self.least // (rows * height)))
        pixels = pixels.repeat(zoom, axis=1).repeat(zoom, axis=2)
        gap = max(1, zoom // 2)
        height, width = height * zoom + gap, width * zoom + gap
        page = np.full((rows * height + gap, columns * width + gap, pixels.shape[3]), 255, np.uint8)
        for k, image in enumerate(pixels):
            top, left = gap + k // columns * height, gap + k % columns * width
            page[top : top + height - gap, left : left + width - gap] = image
        return page


def save(page: np.ndarray, file: Path) -> None:
    """Writes a picture (height, width, C) uint8 as PNG."""
    with replacing(file) as stream:
        Image.fromarray(page).save(stream, "PNG")


def animate(files: list[Path], file: Path, seconds: float = 6.0) -> None:
    """A looping GIF of PNG pictures, the last of which stays a little longer.

    Pictures that were cut short are left out; there is no GIF of fewer than two.
    """
    files = [files[round(k)] for k in np.linspace(0, len(files) - 1, min(len(files), 60))]
    frames = [frame for frame in map(_frame, files) if frame is not None]
    if len(frames) < 2:
        return
    pause = round(1000 * seconds / len(frames))
    times = [pause] * (len(frames) - 1) + [1500]
    with replacing(file) as stream:
        frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)


def _frame(file: Path) -> Image.Image | None:
    try:
        with read(file) as stream:
            return Image.open(stream, formats=["PNG"]).convert("RGB").quantize(128)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow makes of a damaged file
        return None
