"""Samples of a data set on one page: pictures in rows, each kind under a line of words, or numbers in axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gantrain.report.pictures import to_pixels
from gantrain.report.plots import REAL

INK, PAPER = (40, 40, 40), (255, 255, 255)
WIDTH = 1200
"""Pixels across that a sheet has, more or less, where pictures are small."""
MOST_COLUMNS = 24
"""Of numbers that get a histogram."""


def render_sheet(parts: Sequence[tuple[str, np.ndarray]], columns: int) -> np.ndarray:
    """The sheet (height, width, 3) uint8 of pictures (N, C, H, W) in [-1, 1], each kind under its caption.

    Transparent pixels are shown on a chequered ground.
    """
    width = parts[0][1].shape[3]
    zoom = max(1, round(WIDTH / (columns * width)))
    gap = max(2, zoom)
    across = columns * (width * zoom + gap) + gap
    size = 18
    font = ImageFont.load_default(size)
    bands = [_band(images, columns, zoom, gap, across) for _, images in parts]
    page = Image.new("RGB", (across, sum(len(band) + 2 * size for band in bands) + gap), PAPER)
    draw, top = ImageDraw.Draw(page), 0
    for (caption, _), band in zip(parts, bands, strict=True):
        draw.text((2 * gap, top + size // 2), _shortened(caption, font, across - 4 * gap), INK, font)
        page.paste(Image.fromarray(band), (0, top + 2 * size))
        top += len(band) + 2 * size
    return np.asarray(page)


def _band(images: np.ndarray, columns: int, zoom: int, gap: int, across: int) -> np.ndarray:
    """The rows (height, across, 3) that hold the pictures of one kind."""
    pixels = _colours(to_pixels(images)).repeat(zoom, axis=1).repeat(zoom, axis=2)
    height, width = pixels.shape[1] + gap, pixels.shape[2] + gap
    band = np.full((-(-len(pixels) // columns) * height, across, 3), 255, np.uint8)
    for k, image in enumerate(pixels):
        top, left = k // columns * height, gap + k % columns * width
        band[top : top + height - gap, left : left + width - gap] = image
    return band


def _colours(pixels: np.ndarray) -> np.ndarray:
    """Pixels (N, H, W, C) of 1, 3 or 4 channels, or of any other number, as (N, H, W, 3)."""
    channels = pixels.shape[3]
    if channels == 4:
        rows, columns = np.indices(pixels.shape[1:3]) // 4
        ground = np.where((rows + columns) % 2, 255, 205)[..., None]
        alpha = pixels[..., 3:] / 255
        return (pixels[..., :3] * alpha + ground * (1 - alpha)).round().astype(np.uint8)
    return pixels if channels == 3 else pixels[..., :1].repeat(3, axis=3)


def _shortened(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of a caption as fits."""
    while font.getlength(caption) > width and len(caption) > 2:
        caption = caption[:-2].rstrip() + "…"
    return caption


def render_numbers(values: np.ndarray) -> np.ndarray:
    """A page (height, width, 3) uint8 of numbers (N, D): points of the plane, or a histogram of each column."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = min(values.shape[1], MOST_COLUMNS)
    across = 1 if values.shape[1] < 3 else min(count, 4)
    down = 1 if values.shape[1] < 3 else -(-count // across)
    figure = Figure(figsize=(max(6.4, 3 * across), max(4.8, 2.4 * down)), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    grid = np.atleast_1d(figure.subplots(down, across)).ravel()
    for k, axes in enumerate(grid):
        axes.spines[["top", "right"]].set_visible(False)
        if values.shape[1] == 2:
            axes.scatter(values[:, 0], values[:, 1], s=8, color=REAL, alpha=0.35, lw=0)
            axes.set_aspect("equal", adjustable="datalim")
        elif k < count:
            axes.hist(values[:, k], 60, color=REAL, alpha=0.7)
            axes.set_title(f"column {k}", loc="left", fontsize=10)
            axes.set_yticks([])
        else:
            axes.set_visible(False)
    if values.shape[1] > count:
        figure.suptitle(f"the first {count} of {values.shape[1]:,} columns", x=0.01, ha="left", fontsize=11)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
