"""show=samples: what the generator makes, still or on a walk between noises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from omegaconf import DictConfig

from gantrain.commands.asking import grid_of, request_of, size_of, truncated
from gantrain.commands.interpolation import STOPS, walk, way_of
from gantrain.commands.pictures import captions_of, picture_of
from gantrain.commands.sampling import AT_ONCE, COLUMNS, generate_samples, in_user_units, side_by_side
from gantrain.commands.shown import FILMS, Shown, Sounds
from gantrain.commands.trained import TrainedRun
from gantrain.errors import UserError
from gantrain.games import Request
from gantrain.kinds import Kind
from gantrain.report.console import Console
from gantrain.report.looks import paths_page
from gantrain.report.pictures import to_pixels
from gantrain.report.sounds import RATE, SoundSheet
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.turns import Samples

SAID = ("interpolate", "truncation", "standing", "grid")
"""Settings that the name of a file tells."""


def show_samples(run: TrainedRun, asked: DictConfig, words: Mapping[str, str], form: str, console: Console) -> Shown:
    """Samples, in a picture with the given columns, as arrays, one by one or as a film.

    Raises:
        UserError: the game does not know the words, or a setting makes no sense.
    """
    if asked.grid is not None and run.kind is Kind.NUMBERS:
        raise UserError("grid=… lays out pictures, but this run makes numbers: leave it out")
    wished = {name: str(asked[name]) for name in SAID if asked[name] is not None}
    if form in FILMS and run.makes_images:
        return replace(_film(run, asked, words, console), wished=wished)
    if asked.interpolate is not None:
        return replace(_rows(run, asked, words, console), wished=wished)
    request = truncated(run, request_of(run, asked, words, console), asked.truncation)
    at_once = run.cfg.trainer.batch_size if run.game.inputs else AT_ONCE  # as many pictures as fit in training
    made = generate_samples(run.game, run.machine, request, asked.seed, Purpose.SAMPLES, at_once)
    shown, columns = side_by_side(made, request, run.game.grid)
    title = f"{run.cfg.name}, step {run.step:,}"

    captions = captions_of(run.game, made)

    def page() -> np.ndarray:
        picture = picture_of(run.shape, columns, captions=captions, rate=run.rate if run.kind is Kind.SOUND else RATE)
        return picture.render(in_user_units(shown, run.facts), title)

    return Shown(
        "samples",
        request.n,
        page,
        lambda: arrays_of(run, made, captions),
        None,
        _files(run, made),
        wished,
        captions=captions,
        sounds=_sounds(run, made),
    )


def _film(run: TrainedRun, asked: DictConfig, words: Mapping[str, str], console: Console) -> Shown:
    """Every sample walks through some noises and back to the first."""
    if asked.frames < 2:
        raise UserError(f"frames={asked.frames} makes no film: use 2 or more")
    way = way_of(run, asked.interpolate)
    request = _free(request_of(run, asked, words, console), words)
    stops = _stops(run, request, asked, STOPS)
    places = np.linspace(0, STOPS, asked.frames, endpoint=False).tolist()
    made = walk(run, [*stops, stops[0]], way, places, asked.seed)

    def frames() -> Iterator[np.ndarray]:
        for part in made:
            shown, columns = side_by_side(part, request, run.game.grid)
            yield picture_of(run.shape, columns, captions=captions_of(run.game, part)).render(shown.numpy(), "")

    return Shown(
        "pictures of a walk",
        len(made),
        lambda: next(frames()),
        lambda: arrays_of(run, made[0], captions_of(run.game, made[0])),
        frames,
        None,
    )


def _rows(run: TrainedRun, asked: DictConfig, words: Mapping[str, str], console: Console) -> Shown:
    """A row for each pair of noises, from one to the other."""
    if asked.input is not None:
        raise UserError("input=… leaves nothing to choose: leave out interpolate")
    rows, columns = grid_of(asked.grid)
    columns = columns or COLUMNS
    if columns < 2:
        raise UserError(f"grid={asked.grid}: a row that goes from one sample to another has two columns or more")
    way = way_of(run, asked.interpolate)
    n = rows or max(size_of(asked)[0] // columns, 1)
    request = _free(request_of(run, asked, words, console, n), words)
    if rows is not None and request.n != rows:
        raise UserError(f"grid={asked.grid} does not hold the {request.n} rows asked for: say columns only, grid=10")
    places = np.linspace(0, 1, columns)
    made = walk(run, _stops(run, request, asked, 2), way, places.tolist(), asked.seed)
    whole = {name: _row_by_row([part[name] for part in made]) for name in made[0]}
    units = {name: in_user_units(samples.x, run.facts) for name, samples in whole.items()}

    def page() -> np.ndarray:
        (first, *others), title = units.values(), f"{run.cfg.name}, step {run.step:,}, {way}"
        if run.kind is Kind.SOUND:
            return SoundSheet(run.rate, columns).render(first, title)
        if not run.makes_images:
            return paths_page(first.reshape(request.n, columns, -1), title)
        alike = [x for x in (first, *others) if x.shape == first.shape]
        each = np.stack([x.reshape(request.n, columns, *x.shape[1:]) for x in alike], 1)
        grid = picture_of(run.shape, columns, captions=captions_of(run.game, whole))
        return grid.render(each.reshape(-1, *first.shape[1:]), "")

    def arrays() -> dict[str, np.ndarray]:
        return {**arrays_of(run, whole, captions_of(run.game, whole)), "place": np.tile(places, request.n)}

    what, n = f"samples, {way} along rows of {columns}", request.n * columns
    return Shown(what, n, page, arrays, None, _files(run, whole), sounds=_sounds(run, whole))


def _free(request: Request, words: Mapping[str, str]) -> Request:
    """Raises UserError where the user's words leave no noise to walk through."""
    if "noise" in request.latent:
        said = " ".join(f"{word}={value}" for word, value in words.items())
        raise UserError(f"{said} says what changes along a row, and so does interpolate: leave one of them out")
    return request


def _stops(run: TrainedRun, request: Request, asked: DictConfig, count: int) -> list[Request]:
    """The request with so many different noises; what the request gives is the same in all."""
    seed_default(mix(asked.seed, Purpose.SAMPLES), run.game.device)
    latents = [{**run.game.latents(request.n), **request.latent} for _ in range(count)]
    return [truncated(run, replace(request, latent=latent), asked.truncation) for latent in latents]


def _row_by_row(parts: list[Samples]) -> Samples:
    """Samples of each place (n, …) to all of them, those of one walk beside each other."""
    names = parts[0].conditions
    x = torch.stack([part.x for part in parts], 1).flatten(0, 1)
    return Samples(x, {name: torch.stack([part.conditions[name] for part in parts], 1).flatten(0, 1) for name in names})


def _files(run: TrainedRun, made: Mapping[str, Samples]) -> Callable[[], Iterable[tuple[str, np.ndarray]]] | None:
    return (lambda: one_by_one(made)) if run.makes_images else None


def _sounds(run: TrainedRun, made: Mapping[str, Samples]) -> Sounds | None:
    return Sounds(run.rate, lambda: sounds_by_name(made)) if run.kind is Kind.SOUND else None


def arrays_of(run: TrainedRun, made: Mapping[str, Samples], captions: Sequence[str]) -> dict[str, np.ndarray]:
    """Every set of samples by its name, uint8 (N, H, W, C) or float32 (N, …); then what is known of them."""
    arrays = {name: in_user_units(samples.x, run.facts).astype(np.float32) for name, samples in made.items()}
    arrays |= {"captions": np.array(captions)} if captions else {}
    arrays |= {"rate": np.asarray(run.rate)} if run.kind is Kind.SOUND else {}
    codes = {*run.game.inputs, *run.game.given} if captions else set()  # of what these words say
    for number, (kind, samples) in enumerate(made.items()):
        known = {"labels" if name == "label" else name: values for name, values in samples.conditions.items()}
        known = {name: values for name, values in known.items() if name not in codes}
        arrays |= {f"{kind}_{name}" if number else name: values.numpy() for name, values in known.items()}
    return {name: to_pixels(x) if x.ndim == 4 else x for name, x in arrays.items()}


def one_by_one(made: Mapping[str, Samples]) -> Iterable[tuple[str, np.ndarray]]:
    """Each picture (H, W, C) by its number, and its class where it has one; with its set where it is not the first."""
    for samples, names in _named(made):
        for name, picture in zip(names, to_pixels(samples.x.numpy()), strict=True):
            yield name, picture[..., 0] if picture.shape[2] == 1 else picture


def sounds_by_name(made: Mapping[str, Samples]) -> Iterable[tuple[str, np.ndarray]]:
    """Each sound (channels, L), named like a picture."""
    for samples, names in _named(made):
        yield from zip(names, samples.x.numpy(), strict=True)


def _named(made: Mapping[str, Samples]) -> Iterator[tuple[Samples, list[str]]]:
    """Each set of samples, and their names."""
    for number, (kind, samples) in enumerate(made.items()):
        label = samples.conditions.get("label")
        names = [f"{k:06d}" if label is None else f"{k:06d}_class{int(label[k])}" for k in range(len(samples))]
        yield samples, [f"{kind}_{name}" if number else name for name in names]
