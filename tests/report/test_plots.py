"""Pixels, grids, plots and films."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gantrain.report.optimal import optimal_discriminator
from gantrain.report.pictures import ImageGrid, animate, save, to_pixels
from gantrain.report.plots import LinePlot, PlanePlot, Score


def test_pixels_are_rounded_to_the_nearest_of_256() -> None:
    """-1 is black, 1 white, and what lies off a level by less than a half is that level."""
    levels = np.arange(256)
    for off in (-0.45, 0.0, 0.45):
        values = (levels + off) / 127.5 - 1
        assert np.array_equal(to_pixels(values.reshape(1, 1, 16, 16)).ravel(), levels)


def test_pixels_beyond_the_range_are_cut_and_channels_come_last() -> None:
    samples = np.array([[-7.0, 7.0], [math.inf, -math.inf]]).reshape(1, 2, 1, 2)
    assert to_pixels(samples).tolist() == [[[[0, 255], [255, 0]]]]
    assert to_pixels(samples).dtype == np.uint8
    assert to_pixels(np.full((1, 1, 1, 1), math.nan)).tolist() == [[[[0]]]]


def test_a_grid_is_filled_row_by_row() -> None:
    """Six images of one shade each, two beside each other: the order of reading."""
    shades = np.array([-1, -0.6, -0.2, 0.2, 0.6, 0.9])
    page = ImageGrid(columns=2).render(np.broadcast_to(shades[:, None, None, None], (6, 1, 4, 4)), "")
    height, width = page.shape[0] / 3, page.shape[1] / 2
    places = [(int((row + 0.5) * height), int((column + 0.5) * width)) for row in range(3) for column in range(2)]
    assert [page[place][0] for place in places] == to_pixels(shades.reshape(6, 1, 1, 1)).ravel().tolist()


def test_a_grid_enlarges_whole_pixels_between_white_gaps() -> None:
    """Four images of 2x2 pixels, 2 beside each other: at least 512 across, and white between and around."""
    samples = np.where(np.indices((2, 2)).sum(0) % 2, 1.0, -1.0)
    page = ImageGrid().render(np.broadcast_to(samples, (4, 3, 2, 2)), "")
    assert page.shape == (page.shape[0], page.shape[0], 3)
    assert page.shape[0] >= 512
    gap = int((page[:, page.shape[1] // 8] == 255).all(-1).argmin())
    assert gap > 0
    side = (page.shape[0] - 3 * gap) // 2
    for edge in (slice(0, gap), slice(gap + side, 2 * gap + side), slice(2 * gap + 2 * side, None)):
        assert (page[edge] == 255).all()
        assert (page[:, edge] == 255).all()
    enlarged = to_pixels(samples[None, None])[0].repeat(side // 2, 0).repeat(side // 2, 1)
    assert (page[gap : gap + side, gap : gap + side] == enlarged).all()


def test_a_grid_of_a_number_that_fills_no_square_leaves_the_rest_white() -> None:
    page = ImageGrid().render(np.full((5, 1, 4, 4), -1.0), "")
    columns, rows = 3, 2
    assert page.shape[1] / page.shape[0] == pytest.approx(columns / rows, rel=0.02)
    assert (page[-page.shape[0] // 4, -page.shape[1] // 6] == 255).all()


def plot(
    samples: np.ndarray, real: np.ndarray | None, function: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray:
    kind, score = LinePlot if samples.shape[1] == 1 else PlanePlot, function and Score(function, True)
    page = kind(real, score).render(samples, "title")
    assert page.dtype == np.uint8
    assert page.shape[2] == 3
    return page


def mean_place(page: np.ndarray, red_over_blue: bool) -> np.ndarray:
    """Row and column around which the orange (generated) or the blue (real) pixels of the plot's left part lie."""
    red, blue = page[..., 0].astype(int), page[..., 2].astype(int)
    coloured = (red - blue > 50) if red_over_blue else (blue - red > 50)
    return np.argwhere(coloured).mean(0)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_generated_is_orange_and_real_is_blue_where_they_lie(dimensions: int) -> None:
    r = np.random.default_rng(0)
    samples, real = r.normal(-5, 0.3, (300, dimensions)), r.normal(5, 0.3, (300, dimensions))
    page = plot(samples, real)
    generated, data = mean_place(page, True), mean_place(page, False)
    assert generated[1] < data[1] - 50
    if dimensions == 2:
        assert generated[0] > data[0] + 50


def bluer(page: np.ndarray, panel: int = 1) -> np.ndarray:
    """How much bluer than red the middle of a panel of the plane is, (250, 250)."""
    left = 55 + 420 * panel + 55
    middle = page[95:345, left : left + 250].astype(int)
    return middle[..., 2] - middle[..., 0]


def test_the_score_is_shaded_where_it_was_given() -> None:
    """D says 1 to the right of the plane, or in its upper part: there it has the colour of real numbers."""
    corners = np.array([[-1.0, -1], [1, 1], [-1, 1], [1, -1]])
    right = bluer(plot(corners, corners, lambda x: (x[:, 0] > 0).astype(float)))
    assert right[:, 150:].min() > 100
    assert right[:, :100].max() < -100
    upper = bluer(plot(corners, corners, lambda x: (x[:, 1] > 0).astype(float)))
    assert upper[:100].min() > 100
    assert upper[150:].max() < -100


def gaussian(mean: float, std: float = 1.0) -> Callable[[np.ndarray, float], np.ndarray]:
    """The density of N(mean, std²)^D with noise of the width `blur` on it."""

    def density(x: np.ndarray, blur: float) -> np.ndarray:
        variance = std**2 + blur**2
        return np.exp(-0.5 * ((x - mean) ** 2).sum(1) / variance) / (2 * np.pi * variance) ** (x.shape[1] / 2)

    return density


@pytest.mark.parametrize("dimensions", [1, 2])
def test_the_optimum_is_a_half_where_samples_are_as_the_data(dimensions: int) -> None:
    """And for samples of N(1, 1) against N(0, 1) it is the sigmoid of the difference of the logarithms, 1/2 - x."""
    r = np.random.default_rng(0)
    edges = [np.linspace(-4, 5, 61)] * dimensions
    best = optimal_discriminator(r.normal(size=(200_000, dimensions)), gaussian(0.0), edges)
    middle = best[28:32] if dimensions == 1 else best[24:32, 24:32]
    assert middle == pytest.approx(0.5, abs=0.03)
    assert np.isnan(best.ravel()[0])
    narrow = optimal_discriminator(r.normal(scale=0.02, size=(20_000, dimensions)), gaussian(0.0, 0.02), edges)
    assert narrow[np.isfinite(narrow)] == pytest.approx(0.5, abs=0.1)  # narrower than the cells
    moved = optimal_discriminator(r.normal(1, 1, (200_000, 1)), gaussian(0.0), edges[:1])
    x = (edges[0][1:] + edges[0][:-1]) / 2
    known = np.isfinite(moved) & (np.abs(x - 0.5) < 2)
    assert moved[known] == pytest.approx(1 / (1 + np.exp(x[known] - 0.5)), abs=0.02)


def test_the_optimum_stands_beside_a_probability_only() -> None:
    real = np.random.default_rng(0).normal(size=(500, 2))
    for probability, panels in ((True, 3), (False, 2)):
        score = Score(lambda x: np.zeros(len(x)), probability)
        page = PlanePlot(real, score, gaussian(0.0)).render(real, "")
        assert page.shape[1] == 420 * panels + 80
    page = PlanePlot(real, Score(lambda x: np.ones(len(x)), True), gaussian(0.0)).render(real + 50, "")
    assert np.median(bluer(page, 1)) > 100


@pytest.mark.parametrize("dimensions", [1, 2])
def test_a_view_stays_and_tells_what_lies_outside(dimensions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same axes for any samples; the share that they do not show is in the title."""
    kind = LinePlot if dimensions == 1 else PlanePlot
    view, titles, limits = np.array([[-2.0] * dimensions, [2.0] * dimensions]), [], []
    draw = kind.draw

    def seen(plot: LinePlot | PlanePlot, figure: Any, *rest: Any) -> None:
        draw(plot, figure, *rest)
        titles.append(figure.axes[0].get_title("left"))
        limits.append((figure.axes[0].get_xlim(), figure.axes[0].get_ylim()))

    monkeypatch.setattr(kind, "draw", seen)
    real = np.zeros((10, dimensions))
    for share in (0, 3):
        samples = np.where(np.arange(10)[:, None] < share, 7.0, 0.5) * np.ones((10, dimensions))
        kind(real, None, None, view).render(samples, "step 5")
    assert titles == ["step 5", "step 5 (30% of generated lie outside)"]
    assert limits[0] == limits[1]
    assert limits[0][0] == (-2, 2)


def test_probabilities_are_drawn_between_zero_and_one() -> None:
    """The curve of a constant lies at its height, where one of logits would lie in the middle."""

    def row(value: float) -> float:
        line = np.linspace(-1, 1, 50)[:, None]
        page = plot(line, line, lambda x: np.full(len(x), value)).astype(int)[40:400, 80:550]
        return float(np.median(np.argwhere(np.abs(page - 0x4A).max(-1) <= 2)[:, 0]))

    assert row(0.25) - row(0.5) == pytest.approx(row(0.5) - row(0.75), abs=2)
    assert row(0.25) - row(0.75) > 180


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 3e38])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_a_diverged_generator_still_gives_a_picture(bad: float, dimensions: int, share: float) -> None:
    r = np.random.default_rng(0)
    samples, real = r.normal(size=(2, 50, dimensions)).astype(np.float32)
    samples[: int(50 * share)] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plot(samples, real, (lambda x: np.zeros(len(x))) if dimensions < 3 else None).std() > 0


def test_a_film_shows_every_picture_once_and_stays_at_the_last(tmp_path: Path) -> None:
    files = []
    for k in range(5):
        files.append(tmp_path / f"{k:08d}.png")
        save(np.full((8, 8, 3), 50 * k, np.uint8), files[-1])
    animate(files, tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 5
        assert film.info["loop"] == 0
        shades, pauses = [], []
        for k in range(5):
            film.seek(k)
            shades.append(film.convert("L").getpixel((4, 4)))
            pauses.append(film.info["duration"])
    assert shades == pytest.approx([0, 50, 100, 150, 200], abs=2)
    assert pauses == [1200, 1200, 1200, 1200, 1500]


def test_a_long_film_is_thinned_and_keeps_its_ends(tmp_path: Path) -> None:
    files = []
    for k in range(150):
        files.append(tmp_path / f"{k:08d}.png")
        save(np.full((2, 2, 3), k, np.uint8), files[-1])
    animate(files, tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 60
        assert film.convert("L").getpixel((0, 0)) == 0
        film.seek(59)
        assert film.convert("L").getpixel((0, 0)) == 149
    animate(files[:1], tmp_path / "still.gif")
    assert not (tmp_path / "still.gif").exists()
