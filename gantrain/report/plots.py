"""Numbers as one picture: a density on the line, or points in the plane, and what the discriminator makes of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gantrain.report.optimal import Density, optimal_discriminator

REAL, FAKE, CURVE = "#3b6fb6", "#d9622b", "#4a4a4a"
OPTIMUM = "D*(x) = p / (p + q)"


class SamplePicture(Protocol):
    """Shows samples of one kind: images, numbers on a line, points of a plane."""

    def render(self, samples: np.ndarray, title: str) -> np.ndarray:
        """The picture (height, width, C) uint8 of samples (N, *shape); `title` is shown where there is room for it."""


@dataclass(frozen=True)
class Score:
    """What the discriminator makes of points: `function` maps (N, D) to (N,), which are probabilities or logits."""

    function: Callable[[np.ndarray], np.ndarray]
    probability: bool

    @property
    def label(self) -> str:
        return "D(x)" if self.probability else "D's score"


class Plot(ABC):
    """Generated numbers (N, D) in axes, beside real ones. Those that are not finite are left out.

    Args:
        real: real numbers (N, D), where they are shown.
        score: of the discriminator, where it is shown.
        density: of real data, where it is known: with it the optimum is drawn beside a score that is a probability.
        view: the lower and the upper corner (2, D) of what is shown, the same for every picture; by default whatever
            holds the numbers.
    """

    def __init__(
        self,
        real: np.ndarray | None = None,
        score: Score | None = None,
        density: Density | None = None,
        view: np.ndarray | None = None,
    ) -> None:
        self.real, self.score, self.density, self.view = real, score, density, view
        self.has_optimum = density is not None and score is not None and score.probability

    def render(self, samples: np.ndarray, title: str) -> np.ndarray:
        """The picture (height, width, 3) uint8."""
        finite = samples[np.isfinite(samples).all(1)].astype(np.float64)
        real = samples[:0] if self.real is None else self.real
        return rendered(lambda figure: self.draw(figure, finite, real, title), *self.size)

    @property
    @abstractmethod
    def size(self) -> tuple[float, float]:
        """Width and height in inches, of 100 pixels each."""

    @abstractmethod
    def draw(self, figure: Any, samples: np.ndarray, real: np.ndarray, title: str) -> None:
        """Puts finite samples and real numbers, of which there may be none, into matplotlib's figure."""


def rendered(draw: Callable[[Any], None], width: float, height: float) -> np.ndarray:
    """The picture (height, width, 3) uint8 of what is drawn into a figure of so many inches of 100 pixels each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    draw(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


class LinePlot(Plot):
    """Densities of numbers on the line; over them the discriminator's score, and the optimum where it is known."""

    size = (6.4, 4.8)

    def draw(self, figure: Any, samples: np.ndarray, real: np.ndarray, title: str) -> None:
        figure.set_layout_engine("none")  # else the place of the axes would follow the width of their numbers
        axes = figure.add_axes((0.1, 0.11, 0.77, 0.81))
        low, high = self._ends(np.concatenate([samples.ravel(), real.ravel()]))
        bins = np.linspace(low, high, 81)
        peak = self._real(axes, bins, real)
        if len(samples):
            self._histogram(axes, bins, samples, FAKE, "generated")
        handles, names = axes.get_legend_handles_labels()
        if self.score is not None:
            handles += self._curves(axes, bins, samples, self.score)
            names = [*names, *(line.get_label() for line in handles[len(names) :])]
        axes.set_xlabel("x")
        axes.set_ylabel("density")
        axes.set_xlim(low, high)
        if self.view is not None and peak:
            axes.set_ylim(0, 2.2 * peak)
        axes.set_title(title + _outside(samples, np.array([[low], [high]])), loc="left", fontsize=11)
        axes.legend(handles, names, frameon=False, loc="upper left", fontsize=9)
        axes.spines["top"].set_visible(False)

    def _ends(self, numbers: np.ndarray) -> tuple[float, float]:
        if self.view is not None:
            return float(self.view[0, 0]), float(self.view[1, 0])
        low, high = (numbers.min(), numbers.max()) if len(numbers) else (-1.0, 1.0)
        margin = 0.1 * max(high - low, 1e-3)
        return low - margin, high + margin

    def _real(self, axes: Any, bins: np.ndarray, real: np.ndarray) -> float:
        """Draws the real density, as it is where that is known; returns its peak."""
        if self.density is not None:
            x = np.linspace(bins[0], bins[-1], 400)
            p = self.density(x[:, None], 0.0)
            axes.fill_between(x, p, color=REAL, alpha=0.45, lw=0, label="real, p(x)")
            return float(p.max())
        return self._histogram(axes, bins, real, REAL, "real") if len(real) else 0.0

    def _histogram(self, axes: Any, bins: np.ndarray, numbers: np.ndarray, colour: str, label: str) -> float:
        """Draws a density of which what lies outside is a part too; returns its peak."""
        weights = np.full(len(numbers), 1 / (len(numbers) * (bins[1] - bins[0])))
        heights, *_ = axes.hist(numbers.ravel(), bins, weights=weights, color=colour, alpha=0.45, label=label)
        return float(np.max(heights))

    def _curves(self, axes: Any, bins: np.ndarray, samples: np.ndarray, score: Score) -> list[Any]:
        """The score over the width of the bins, and the optimum, with an axis of their own to the right."""
        x = np.linspace(bins[0], bins[-1], 401)
        right = axes.twinx()
        lines = right.plot(x, score.function(x[:, None]), color=CURVE, lw=1.6, label=score.label)
        if self.density is not None and self.has_optimum:
            best = optimal_discriminator(samples, self.density, [np.linspace(bins[0], bins[-1], 121)])
            middles = np.linspace(bins[0], bins[-1], 241)[1::2]
            lines += right.plot(middles, best, color=CURVE, lw=1.4, ls=(0, (3, 2)), label=OPTIMUM)
        right.set_ylabel(score.label)
        right.spines["top"].set_visible(False)
        if score.probability:
            right.set_ylim(-0.02, 1.02)
        return lines


class PlanePlot(Plot):
    """The first two coordinates of points; beside them the plane in the colours of the score, and of the optimum."""

    @property
    def size(self) -> tuple[float, float]:
        return (5.6, 5.6) if self._panels == 1 else (4.2 * self._panels + 0.8, 4.4)

    @property
    def _panels(self) -> int:
        return 1 + (self.score is not None) + self.has_optimum

    def draw(self, figure: Any, samples: np.ndarray, real: np.ndarray, title: str) -> None:
        low, high = self._corners(samples[:, :2], real[:, :2])
        figure.set_layout_engine("none")  # the same places in every picture, and half the time
        width, height = self.size
        side = 4.8 if self._panels == 1 else 3.6
        places = [(0.55 + 4.2 * k) / width for k in range(self._panels)]
        panels = [figure.add_axes((left, 0.4 / height, side / width, side / height)) for left in places]
        for axes in panels:
            axes.set_xlim(low[0], high[0])
            axes.set_ylim(low[1], high[1])
            axes.set_aspect("equal")
        self._points(panels[0], samples[:, :2], real[:, :2])
        panels[0].set_title(title + _outside(samples[:, :2], np.stack([low, high])), loc="left", fontsize=11)
        if self.score is not None:
            shade = self._score(panels[1], low, high, self.score)
            if self.density is not None and self.has_optimum:
                self._optimum(panels[2], low, high, samples, self.density)
            bar = figure.add_axes(((4.2 * self._panels + 0.05) / width, 0.4 / height, 0.1 / width, side / height))
            figure.colorbar(shade, cax=bar, format="%.3g").ax.tick_params(labelsize=9)

    def _corners(self, samples: np.ndarray, real: np.ndarray) -> np.ndarray:
        if self.view is not None:
            return self.view[:, :2]
        inner = np.concatenate([real, np.percentile(samples, [1, 99], axis=0) if len(samples) else samples])
        low, high = (inner.min(0), inner.max(0)) if len(inner) else (np.full(2, -1.0), np.full(2, 1.0))
        margin = 0.15 * max((high - low).max(), 1e-3)
        return np.stack([low - margin, high + margin])

    def _points(self, axes: Any, samples: np.ndarray, real: np.ndarray) -> None:
        if len(real):
            axes.scatter(real[:, 0], real[:, 1], s=10, color=REAL, alpha=0.35, lw=0, label="real")
        axes.scatter(samples[:, 0], samples[:, 1], s=10, color=FAKE, alpha=0.6, lw=0, label="generated")
        axes.legend(frameon=False, loc="upper right", markerscale=2)

    def _score(self, axes: Any, low: np.ndarray, high: np.ndarray, score: Score) -> Any:
        """The score between two corners (2,) of the plane."""
        u, v = np.meshgrid(np.linspace(low[0], high[0], 120), np.linspace(low[1], high[1], 120))
        scores = score.function(np.stack([u.ravel(), v.ravel()], 1)).reshape(u.shape)
        axes.set_title(score.label, loc="left", fontsize=11)
        return self._shade(axes, low, high, scores, score.probability)

    def _optimum(self, axes: Any, low: np.ndarray, high: np.ndarray, samples: np.ndarray, density: Density) -> None:
        edges = [np.linspace(low[k], high[k], 121) for k in (0, 1)]
        axes.set_title(OPTIMUM, loc="left", fontsize=11)
        self._shade(axes, low, high, optimal_discriminator(samples, density, edges).T, True)

    def _shade(self, axes: Any, low: np.ndarray, high: np.ndarray, values: np.ndarray, probability: bool) -> Any:
        """Values (rows, columns) from the colour of fakes to that of reals; grey where there are none."""
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("fake to real", [FAKE, "#ffffff", REAL])
        axes.set_facecolor("#e4e4e4")
        ends = (0.0, 1.0) if probability else (None, None)
        place = {"origin": "lower", "extent": (low[0], high[0], low[1], high[1]), "interpolation": "nearest"}
        return axes.imshow(values, cmap=colours, vmin=ends[0], vmax=ends[1], **place)


def _outside(samples: np.ndarray, view: np.ndarray) -> str:
    """What to add to a title where samples lie outside the view (2, D)."""
    share = float(((samples < view[0]) | (samples > view[1])).any(1).mean()) if len(samples) else 0.0
    return f" ({share:.0%} of generated lie outside)" if share >= 0.01 else ""
