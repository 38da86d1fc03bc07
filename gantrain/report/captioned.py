"""Pictures over the words that go with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gantrain.report.pictures import to_pixels

INK, PAPER = (40, 40, 40), (255, 255, 255)
FONT, LINE, LINES = 13, 16, 4
"""Height of letters, of a line, and how many lines a caption has at most."""
LEAST, GAP = 128, 8
"""Pixels across that a picture has at least, and between two."""


class CaptionedGrid:
    """Pictures side by side, each over its caption; small ones are enlarged, pixel by pixel.

    Args:
        captions: of the pictures, in their order.
        columns: how many stand in a row, 8 by default.
    """

    def __init__(self, captions: Sequence[str], columns: int | None = None) -> None:
        self.captions, self.columns = captions, columns or 8

    def render(self, samples: np.ndarray, title: str) -> np.ndarray:
        """The picture (height, width, 3) uint8 of images (N, C, H, W) in [-1, 1]; there is no room for a title."""
        pixels = to_pixels(samples)[..., :3]
        zoom = -(-LEAST // pixels.shape[2])
        pixels = pixels.repeat(zoom, axis=1).repeat(zoom, axis=2)
        pixels = pixels.repeat(3, axis=3) if pixels.shape[3] == 1 else pixels
        high, wide = pixels.shape[1:3]
        font = ImageFont.load_default(FONT)
        told = [wrapped(caption, font, wide) for caption in self.captions]
        columns, rows = min(self.columns, len(pixels)), -(-len(pixels) // self.columns)
        heights = [LINE * max(map(len, told[k * columns : (k + 1) * columns])) for k in range(rows)]
        size = (columns * (wide + GAP) + GAP, rows * (high + 2 * GAP) + GAP + sum(heights))
        page = Image.new("RGB", size, PAPER)
        draw = ImageDraw.Draw(page)
        for k, (image, lines) in enumerate(zip(pixels, told, strict=True)):
            row, column = divmod(k, columns)
            top, left = GAP + row * (high + 2 * GAP) + sum(heights[:row]), GAP + column * (wide + GAP)
            page.paste(Image.fromarray(image), (left, top))
            for number, line in enumerate(lines):
                draw.text((left, top + high + 3 + number * LINE), line, INK, font)
        return np.asarray(page)


def wrapped(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """The caption in lines of a width; what goes beyond the last line is left out, and says so."""
    lines = [""]
    for word in caption.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], f"{lines[LINES - 1]} …"]
    return [_cut(line, font, width) for line in lines]


def _cut(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """A line that fits, of a word without end too."""
    while font.getlength(line) > width and len(line) > 1:
        line = f"{line.rstrip('…')[:-1]}…"
    return line
