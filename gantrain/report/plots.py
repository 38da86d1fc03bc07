"""Numbers as one picture: a density on the line, or points in the plane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

REAL, FAKE, CURVE = "#3b6fb6", "#d9622b", "#4a4a4a"


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
    """

    size: ClassVar[tuple[float, float]]
    """Width and height in inches, of 100 pixels each."""

    def __init__(self, real: np.ndarray | None = None, score: Score | None = None) -> None:
        self.real, self.score = real, score

    def render(self, samples: np.ndarray, title: str) -> np.ndarray:
        """The picture (height, width, 3) uint8."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=self.size, dpi=100, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=11)
        finite = samples[np.isfinite(samples).all(1)].astype(np.float64)
        self.plot(axes, finite, samples[:0] if self.real is None else self.real)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    @abstractmethod
    def plot(self, axes: Any, samples: np.ndarray, real: np.ndarray) -> None:
        """Puts finite samples and real numbers, of which there may be none, into matplotlib's axes."""


class LinePlot(Plot):
    """Histograms of numbers on the line, and the discriminator's score over it."""

    size = (6.4, 4.8)

    def plot(self, axes: Any, samples: np.ndarray, real: np.ndarray) -> None:
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
        if self.score is not None:
            handles, names = [*handles, self._curve(axes, bins, self.score)], [*names, self.score.label]
        axes.legend(handles, names, frameon=False, loc="upper right")
        axes.spines["top"].set_visible(False)

    def _curve(self, axes: Any, bins: np.ndarray, score: Score) -> Any:
        """The score over the width of the bins, with an axis of its own to the right."""
        x = np.linspace(bins[0], bins[-1], 400)
        right = axes.twinx()
        (line,) = right.plot(x, score.function(x[:, None]), color=CURVE, lw=1.6, label=score.label)
        right.set_ylabel(score.label)
        if score.probability:
            right.set_ylim(-0.02, 1.02)
        return line


class PlanePlot(Plot):
    """The first two coordinates of points, and the discriminator's score as a shade of the plane."""

    size = (5.6, 5.6)

    def plot(self, axes: Any, samples: np.ndarray, real: np.ndarray) -> None:
        shown = samples[:, :2]
        inner = np.concatenate([real[:, :2], np.percentile(shown, [1, 99], axis=0) if len(shown) else shown])
        low, high = (inner.min(0), inner.max(0)) if len(inner) else (np.full(2, -1.0), np.full(2, 1.0))
        margin = 0.15 * max((high - low).max(), 1e-3)
        low, high = low - margin, high + margin
        if self.score is not None:
            self._shade(axes, low, high, self.score)
        if len(real):
            axes.scatter(real[:, 0], real[:, 1], s=10, color=REAL, alpha=0.35, lw=0, label="real")
        axes.scatter(shown[:, 0], shown[:, 1], s=10, color=FAKE, alpha=0.6, lw=0, label="generated")
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
        axes.set_aspect("equal")
        axes.legend(frameon=False, loc="upper right", markerscale=2)

    def _shade(self, axes: Any, low: np.ndarray, high: np.ndarray, score: Score) -> None:
        """The score between two corners (2,) of the plane."""
        u, v = np.meshgrid(np.linspace(low[0], high[0], 120), np.linspace(low[1], high[1], 120))
        scores = score.function(np.stack([u.ravel(), v.ravel()], 1)).reshape(u.shape)
        extent = (low[0], high[0], low[1], high[1])
        shade = axes.imshow(scores, cmap="Greys", alpha=0.45, origin="lower", extent=extent, interpolation="bilinear")
        axes.figure.colorbar(shade, ax=axes, label=score.label, shrink=0.8)
