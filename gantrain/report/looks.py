"""Looks inside a trained run as one picture each: paths, noise that matters, where D looks, features in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantrain.report.pictures import ImageGrid, to_pixels
from gantrain.report.plots import CURVE, FAKE, REAL, rendered

FAINT = "#c9c9c9"
SPACED = 1 / 13
"""The least distance of two thumbnails, as a share of the width of what is shown."""


def paths_page(paths: np.ndarray, title: str) -> np.ndarray:
    """Paths (n, steps, D) of numbers: over their length on the line, else the first two coordinates in the plane."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        _draw_paths(axes, paths, [FAKE] * len(paths))
        axes.set_title(title, loc="left", fontsize=11)

    return rendered(draw, 5.6, 5.6)


def _draw_paths(axes: Any, paths: np.ndarray, colours: Sequence[Any], places: np.ndarray | None = None) -> None:
    line = paths.shape[2] == 1
    places = np.linspace(0, 1, paths.shape[1]) if places is None else places
    for path, colour in zip(paths, colours, strict=True):
        x, y = (places, path[:, 0]) if line else (path[:, 0], path[:, 1])
        axes.plot(x, y, color=colour, lw=1, alpha=0.7)
        axes.scatter(x[[0, -1]], y[[0, -1]], color=colour, s=14, lw=0, zorder=3)
    axes.set_xlabel("place between the two noises" if line else "first coordinate")
    axes.set_ylabel("generated number" if line else "second coordinate")
    axes.spines[["top", "right"]].set_visible(False)
    if not line:
        axes.set_aspect("equal", adjustable="datalim")


@dataclass(frozen=True)
class Sweep:
    """What happens where one dimension of the noise moves.

    Attributes:
        dimensions: of the noise, those that move samples most first.
        change: of each of them, the mean change of samples where it moves by one.
        unit: in which the change is told.
        places: of the noise in what is shown.
        samples: shown of the first dimensions, (rows, places, C, H, W) or (rows, places, D).
    """

    dimensions: np.ndarray
    change: np.ndarray
    unit: str
    places: np.ndarray
    samples: np.ndarray


def sweep_page(sweep: Sweep, title: str) -> np.ndarray:
    """To the left what the first dimensions do, to the right how much every one does."""
    rows, columns = sweep.samples.shape[:2]
    images = sweep.samples.ndim == 5
    page = ImageGrid(columns, 720).render(sweep.samples.reshape(-1, *sweep.samples.shape[2:]), "") if images else None

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1.7, 1))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        if page is not None:
            _grid_with_names(left, page, _names(sweep)[:rows], [f"{place:g}" for place in sweep.places])
            left.set_xlabel("the noise in this dimension")
        else:
            _sweep_paths(left, sweep)
        _bars(right, sweep, rows)

    return rendered(draw, 11.0, max(4.6, 1.2 + 7.0 * page.shape[0] / page.shape[1] if page is not None else 5.2))


def _names(sweep: Sweep) -> list[str]:
    return [f"z[{k}]\n{change:.3g}" for k, change in zip(sweep.dimensions, sweep.change, strict=True)]


def _grid_with_names(axes: Any, page: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> None:
    height, width = page.shape[:2]
    axes.imshow(page, interpolation="nearest")
    axes.set_yticks((np.arange(len(rows)) + 0.5) * height / len(rows), rows, fontsize=9)
    axes.set_xticks((np.arange(len(columns)) + 0.5) * width / len(columns), columns, fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _sweep_paths(axes: Any, sweep: Sweep) -> None:
    from matplotlib import colormaps

    colours = [colormaps["tab10"](k % 10) for k in range(len(sweep.samples))]
    _draw_paths(axes, sweep.samples, colours, sweep.places)
    names = [f"z[{k}]" for k in sweep.dimensions[: len(sweep.samples)]]
    axes.legend(axes.get_lines(), names, frameon=False, fontsize=9)
    if sweep.samples.shape[2] == 1:
        axes.set_xlabel("the noise in this dimension")


def _bars(axes: Any, sweep: Sweep, shown: int) -> None:
    count = len(sweep.change)
    colours = [FAKE if k < shown else FAINT for k in range(count)]
    axes.barh(np.arange(count), sweep.change, color=colours, height=0.8)
    axes.set_xlim(left=0)
    axes.set_ylim(max(count, 8) - 0.5, -0.5)
    labelled = np.arange(0, count, max(1, round(count / 32)))
    axes.set_yticks(labelled, [f"z[{sweep.dimensions[k]}]" for k in labelled], fontsize=7 if count > 12 else 9)
    axes.set_xlabel(f"mean change, {sweep.unit}")
    title = "every dimension" if count <= shown else f"all {count} dimensions, those to the left coloured"
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


@dataclass(frozen=True)
class Attention:
    """Where one discriminator looks in some images.

    Attributes:
        title: what the images are, and what it makes of them.
        images: (n, C, H, W) in [-1, 1].
        gradient: of its logit by the pixels, (n, H, W), not below 0.
    """

    title: str
    images: np.ndarray
    gradient: np.ndarray


def attention_page(rows: Sequence[Sequence[Attention]], title: str, pairs: int = 4) -> np.ndarray:
    """Blocks of images beside their heat maps, each bright up to its own greatest value; so many pairs in a row."""
    pages = [[ImageGrid(2 * pairs, 560).render(_pairs(block), "") for block in row] for row in rows]
    height, width = pages[0][0].shape[:2]

    def draw(figure: Any) -> None:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        every = figure.subplots(len(rows), len(rows[0]), squeeze=False)
        for places, row, blocks in zip(every, pages, rows, strict=True):
            for axes, page, block in zip(places, row, blocks, strict=True):
                axes.imshow(page, interpolation="nearest")
                axes.set_title(block.title, loc="left", fontsize=10)
                axes.axis("off")

    return rendered(draw, 6.0 * len(rows[0]), 0.5 + len(rows) * (0.4 + 5.8 * height / width))


def _pairs(block: Attention) -> np.ndarray:
    """Images and their heat maps in turn, (2 n, 3, H, W) in [-1, 1]."""
    from matplotlib import colormaps

    images = np.broadcast_to(block.images, (len(block.images), 3, *block.images.shape[2:]))
    peak = np.maximum(block.gradient.max((1, 2), keepdims=True), np.finfo(np.float32).tiny)
    heat = colormaps["inferno"](block.gradient / peak)[..., :3].transpose(0, 3, 1, 2) * 2 - 1
    return np.stack([images, heat], 1).reshape(-1, *images.shape[1:])


@dataclass(frozen=True)
class Embedding:
    """Samples as points of the plane.

    Attributes:
        title: by which map.
        places: (n, 2), the real samples first.
        axes: what the two coordinates are.
    """

    title: str
    places: np.ndarray
    axes: tuple[str, str]


def embedding_page(embeddings: Sequence[Embedding], real: int, pictures: np.ndarray | None, title: str) -> np.ndarray:
    """Points of real and generated samples, beside each other under each map; some of them as thumbnails in the last.

    Args:
        real: how many of the samples, the first, are real.
        pictures: of all samples, (n, C, H, W) in [-1, 1].
    """

    def draw(figure: Any) -> None:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        for axes, embedding in zip(figure.subplots(1, len(embeddings), squeeze=False)[0], embeddings, strict=True):
            for part, colour, name in ((slice(0, real), REAL, "real"), (slice(real, None), FAKE, "generated")):
                axes.scatter(*embedding.places[part].T, s=9, color=colour, alpha=0.5, lw=0, label=name)
            if pictures is not None and embedding is embeddings[-1]:
                _thumbnails(axes, embedding.places, pictures, real)
            axes.set_title(embedding.title, loc="left", fontsize=10)
            axes.set_xlabel(embedding.axes[0])
            axes.set_ylabel(embedding.axes[1])
            axes.set_xticks([])
            axes.set_yticks([])
            axes.legend(frameon=True, framealpha=0.8, edgecolor="none", markerscale=2, loc="upper right")

    return rendered(draw, 6.4 * len(embeddings), 6.8)


def _thumbnails(axes: Any, places: np.ndarray, pictures: np.ndarray, real: int) -> None:
    """Samples that lie apart from each other, framed in the colour of real or generated ones."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    width = np.ptp(places, axis=0).max() or 1.0
    chosen: list[int] = []
    for k in np.random.default_rng(0).permutation(len(places)):
        if all(np.abs(places[k] - places[other]).max() >= SPACED * width for other in chosen):
            chosen.append(int(k))
    pixels = to_pixels(pictures[chosen])
    for k, picture in zip(chosen, pixels, strict=True):
        shown = picture.repeat(3, 2) if picture.shape[2] == 1 else picture[..., :3]
        image = OffsetImage(shown, zoom=26 / max(shown.shape[:2]), interpolation="nearest")
        frame = {"edgecolor": REAL if k < real else FAKE, "linewidth": 1.6, "facecolor": CURVE}
        axes.add_artist(AnnotationBbox(image, places[k], pad=0.06, bboxprops=frame))
