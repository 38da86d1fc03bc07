"""Which picture shows samples, and those that a run makes of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from gantrain.commands.evaluation import score_function
from gantrain.commands.sampling import generate_samples, in_user_units, side_by_side, with_inputs
from gantrain.data import Batches, KnownDistribution, Source
from gantrain.games import Game, Request
from gantrain.report.optimal import Density
from gantrain.report.pictures import ImageGrid
from gantrain.report.plots import LinePlot, PlanePlot, SamplePicture, Score
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.training.machine import Machine

IMAGES, POINTS = 64, 2000
"""Samples in a run's pictures."""


def picture_of(
    shape: Sequence[int],
    columns: int | None = None,
    real: np.ndarray | None = None,
    score: Score | None = None,
    density: Density | None = None,
    view: np.ndarray | None = None,
) -> SamplePicture:
    """The picture that suits samples of a shape: [C, H, W], or [D] for numbers.

    Args:
        columns: of a grid of images.
        real: real numbers (N, D), shown beside generated ones.
        score: of the discriminator, shown beside numbers of one or two dimensions.
        density: of such real numbers, where it is known.
        view: corners (2, D) of what is shown of numbers, the same for every picture.
    """
    if len(shape) == 3:
        return ImageGrid(columns)
    if shape[0] == 1:
        return LinePlot(real, score, density, view)
    return PlanePlot(real, *((score, density) if shape[0] == 2 else (None, None)), view)


def view_of(real: np.ndarray, origin: bool) -> np.ndarray:
    """Corners (2, D) of the square that shows real numbers (N, D) with some room around them.

    Args:
        origin: show it too: there networks begin, where data is not standardised.
    """
    held = np.concatenate([real, np.zeros_like(real[:1])]) if origin else real
    low, high = held.min(0), held.max(0)
    middle, half = (low + high) / 2, max((high - low).max() / 2, 1e-3) * 1.3
    return np.stack([middle - half, middle + half])


def picture_maker(
    game: Game, source: Source, batches: Batches, machine: Machine, seed: int
) -> tuple[Callable[[int], np.ndarray], np.ndarray | None]:
    """A function from a step to a picture of its samples of a fixed noise; and a picture of real images, if any."""
    shape = source.shape
    images = len(shape) == 3
    n = IMAGES if images else POINTS
    seed_default(mix(seed, Purpose.PICTURES), machine.device)
    drawn = batches.draw(0, n)
    real = drawn["real"].cpu()
    seed_default(mix(seed, Purpose.PICTURES), machine.device)
    request = game.preview_request(n) if images else Request(n, game.latents(n))
    request = with_inputs(game, request, drawn)
    numbers = in_user_units(real, batches.facts)
    density = source.density if isinstance(source, KnownDistribution) else None
    view = None if images else view_of(numbers, origin=not batches.facts)

    def picture(step: int) -> np.ndarray:
        asked = replace(request, step=step)
        made = generate_samples(game, machine, asked, seed, Purpose.PICTURES, at_once=request.n)
        shown, columns = side_by_side(made, asked)
        score = None if images or batches.facts else _score(game, machine, step)
        kind = picture_of(shape, columns, numbers, score, density, view)
        return kind.render(in_user_units(shown, batches.facts), f"step {step:,}")

    return picture, ImageGrid().render(real.numpy(), "real") if images else None


def _score(game: Game, machine: Machine, step: int) -> Score | None:
    """The probabilities that the discriminator gives points, where its loss makes them such; else its logits."""
    logits_of = score_function(game, machine, step)
    if logits_of is None:
        return None
    probability = game.loss.adversarial.probability

    def score(x: np.ndarray) -> np.ndarray:
        logits = logits_of(torch.from_numpy(x).float())
        return (logits.sigmoid() if probability else logits).numpy()

    return Score(score, probability)
