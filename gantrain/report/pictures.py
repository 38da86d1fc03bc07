"""Samples as one picture: a grid of images, a density on the line, or points in the plane."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from gantrain.files import read, replacing

Judge = Callable[[np.ndarray], np.ndarray]

REAL, FAKE, CURVE = "#3b6fb6", "#d9622b", "#4a4a4a"


def to_pixels(samples: np.ndarray) -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1] to uint8 (N, H, W, C)."""
    scaled = np.nan_to_num((samples + 1) * 127.5).round().clip(0, 255)
    return scaled.astype(np.uint8).transpose(0, 2, 3, 1)


def grid(samples: np.ndarray, columns: int | None = None, least: int = 512) -> np.ndarray:
    """Images (N, C, H, W) in [-1, 1] to one picture (height, width, C or 3) with a thin gap between them.

    Small images are enlarged, pixel by pixel, so that the picture has at least `least` pixels across, unless that would
    make it very tall.
    """
    pixels = to_pixels(samples)
    n, height, width, channels = pixels.shape
    if channels == 1:
        pixels = pixels.repeat(3, axis=3)
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    zoom = max(1, min(round(least / (columns * width)), 4 * least // (rows * height)))
    pixels = pixels.repeat(zoom, axis=1).repeat(zoom, axis=2)
    gap = max(1, zoom // 2)
    height, width = height * zoom + gap, width * zoom + gap
    page = np.full((rows * height + gap, columns * width + gap, pixels.shape[3]), 255, np.uint8)
    for k, image in enumerate(pixels):
        top, left = gap + k // columns * height, gap + k % columns * width
        page[top : top + height - gap, left : left + width - gap] = image
    return page


def picture(
    samples: np.ndarray, real: np.ndarray, judge: Judge | None, title: str, label: str, columns: int | None = None
) -> np.ndarray:
    """The picture (height, width, 3 or 4) that suits the samples.

    Args:
        samples, real: (N, C, H, W) in [-1, 1], or (N, D); `real` may be empty. Points that are not finite are left out.
        judge: samples to the discriminator's verdict, drawn beside points; `label` says what it is.
        columns: of a grid of images.
    """
    if samples.ndim == 4:
        return grid(samples, columns)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8) if samples.shape[1] == 1 else (5.6, 5.6), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    finite = samples[np.isfinite(samples).all(1)].astype(np.float64)
    (_line if samples.shape[1] == 1 else _plane)(axes, finite, real, judge, label)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


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
    except (OSError, SyntaxError, ValueError):  # what Pillow makes of a damaged file
        return None


def _line(axes, samples: np.ndarray, real: np.ndarray, judge: Judge | None, label: str) -> None:  # type: ignore[no-untyped-def]
    both = np.concatenate([samples.ravel(), real.ravel()])
    low, high = (both.min(), both.max()) if len(both) else (-1.0, 1.0)
    margin = 0.1 * max(high - low, 1e-3)
    bins = np.linspace(low - margin, high + margin, 80)
    if len(real):
        axes.hist(real.ravel(), bins, density=True, color=REAL, alpha=0.45, label="real")
    if len(samples):
        axes.hist(samples.ravel(), bins, density=True, color=FAKE, alpha=0.45, label="generated")
    axes.set_xlabel("x")
    axes.set_ylabel("density")
    handles, names = axes.get_legend_handles_labels()
    if judge is not None:
        x = np.linspace(bins[0], bins[-1], 400)
        right = axes.twinx()
        right.plot(x, judge(x[:, None]), color=CURVE, lw=1.6, label=label)
        right.set_ylabel(label)
        if label == "D(x)":
            right.set_ylim(-0.02, 1.02)
        handles, names = handles + right.get_legend_handles_labels()[0], [*names, label]
    axes.legend(handles, names, frameon=False, loc="upper right")
    axes.spines["top"].set_visible(False)


def _plane(axes, samples: np.ndarray, real: np.ndarray, judge: Judge | None, label: str) -> None:  # type: ignore[no-untyped-def]
    shown = samples[:, :2]
    inner = np.concatenate([real[:, :2], np.percentile(shown, [1, 99], axis=0) if len(shown) else shown])
    low, high = (inner.min(0), inner.max(0)) if len(inner) else (np.full(2, -1.0), np.full(2, 1.0))
    margin = 0.15 * max((high - low).max(), 1e-3)
    low, high = low - margin, high + margin
    if judge is not None and samples.shape[1] == 2:
        u, v = np.meshgrid(np.linspace(low[0], high[0], 120), np.linspace(low[1], high[1], 120))
        verdict = judge(np.stack([u.ravel(), v.ravel()], 1)).reshape(u.shape)
        extent = (low[0], high[0], low[1], high[1])
        shade = axes.imshow(verdict, cmap="Greys", alpha=0.45, origin="lower", extent=extent, interpolation="bilinear")
        axes.figure.colorbar(shade, ax=axes, label=label, shrink=0.8)
    if len(real):
        axes.scatter(real[:, 0], real[:, 1], s=10, color=REAL, alpha=0.35, lw=0, label="real")
    axes.scatter(shown[:, 0], shown[:, 1], s=10, color=FAKE, alpha=0.6, lw=0, label="generated")
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_aspect("equal")
    axes.legend(frameon=False, loc="upper right", markerscale=2)
