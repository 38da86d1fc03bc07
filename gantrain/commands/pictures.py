"""Which picture shows samples, and those that a run makes of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from gantrain.commands.evaluation import score_function
from gantrain.commands.sampling import generate_samples, in_user_units, side_by_side, with_inputs
from gantrain.data import Batches, KnownDistribution, Source
from gantrain.games import Game, Request
from gantrain.kinds import Kind
from gantrain.report.captioned import CaptionedGrid
from gantrain.report.optimal import Density
from gantrain.report.pictures import ImageGrid
from gantrain.report.plots import LinePlot, PlanePlot, SamplePicture, Score
from gantrain.report.sounds import HEARD, RATE, SHOWN, Page, SoundPage, SoundSheet
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.training.machine import Machine
from gantrain.turns import Samples

COUNTS = {Kind.NUMBERS: 2000, Kind.SOUND: SHOWN, Kind.PICTURES: 64}
"""Samples in a run's pictures."""


def picture_of(
    shape: Sequence[int],
    columns: int | None = None,
    real: np.ndarray | None = None,
    score: Score | None = None,
    density: Density | None = None,
    view: np.ndarray | None = None,
    captions: Sequence[str] = (),
    rate: int = RATE,
) -> SamplePicture:
    """The picture that suits samples of a shape.

    Args:
        columns: of a grid of images.
        real: real numbers (N, D), shown beside generated ones.
        score: of the discriminator, shown beside numbers of one or two dimensions.
        density: of such real numbers, where it is known.
        view: corners (2, D) of what is shown of numbers, the same for every picture.
        captions: of images, below each of them.
        rate: of sound, samples a second.
    """
    kind = Kind.of(shape)
    if kind is Kind.PICTURES:
        return CaptionedGrid(captions, columns) if captions else ImageGrid(columns)
    if kind is Kind.SOUND:
        return SoundSheet(rate, columns)
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
) -> tuple[Callable[[int], Page], Page | None]:
    """A function from a step to a picture of its samples of a fixed noise; and one of real images or sounds, if any."""
    shape, kind = source.shape, Kind.of(source.shape)
    in_axes, n, rate = kind is Kind.NUMBERS, COUNTS[kind], source.rate or RATE
    seed_default(mix(seed, Purpose.PICTURES), machine.device)
    drawn = batches.draw(0, n)
    real = drawn["real"].cpu()
    seed_default(mix(seed, Purpose.PICTURES), machine.device)
    request = Request(n, game.latents(n)) if in_axes else game.preview_request(n)
    request = with_inputs(game, request, drawn)
    numbers = in_user_units(real, batches.facts)
    density = source.density if isinstance(source, KnownDistribution) else None
    view = view_of(numbers, origin=not batches.facts) if in_axes else None

    def page_of(
        samples: np.ndarray,
        title: str,
        columns: int | None = None,
        score: Score | None = None,
        captions: Sequence[str] = (),
    ) -> Page:
        page = picture_of(shape, columns, numbers, score, density, view, captions, rate).render(samples, title)
        return SoundPage(page, samples[:HEARD], rate) if kind is Kind.SOUND else page

    def picture(step: int) -> Page:
        asked = replace(request, step=step)
        made = generate_samples(game, machine, asked, seed, Purpose.PICTURES, at_once=request.n)
        shown, columns = side_by_side(made, asked, game.grid)
        score = _score(game, machine, step) if in_axes and not batches.facts else None
        samples, title = in_user_units(shown, batches.facts), f"step {step:,}"
        return page_of(samples, title, columns, score, captions_of(game, made))

    if in_axes:
        return picture, None
    known = Samples(real, {name: values.cpu() for name, values in drawn.items() if name in game.inputs})
    captions = game.captions(known)[: request.n]
    shown = real[: request.n] if captions else real
    return picture, page_of(shown.numpy(), "real", captions=captions)


def captions_of(game: Game, made: Mapping[str, Samples]) -> Sequence[str]:
    """The words that samples were asked to show, where they stand alone in a picture; else none."""
    return game.captions(next(iter(made.values()))) if len(made) == 1 else ()


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
