"""From what a user wants to see to what is asked of a game."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig

from gantrain.commands.sampling import with_inputs
from gantrain.commands.trained import TrainedRun
from gantrain.config import SampleRequest, nearest
from gantrain.data import DataContext, ImageFolder
from gantrain.data.batches import to_real
from gantrain.errors import UserError
from gantrain.games import Request
from gantrain.report.console import Console
from gantrain.seeding import Purpose, mix, seed_default

MANY = 64
"""Samples, unless another number is asked for."""


def request_of(
    run: TrainedRun, asked: DictConfig, words: Mapping[str, str], console: Console, n: int | None = None
) -> Request:
    """What the user's words ask of the game.

    Args:
        words: those that are no settings of the command but the game's own, such as class=3.
        n: how many samples, where that is not the user's own number.

    Raises:
        UserError: it does not know them.
    """
    game = run.game
    seed_default(mix(asked.seed, Purpose.SAMPLES), game.device)
    n, columns = (n, None) if n is not None else size_of(asked)
    try:
        if asked.input is None:
            request = game.request(n, words)
            if any(name not in request.inputs for name in game.inputs):
                data = run.data(request.n, console.say, again=False)
                request = with_inputs(game, _at_most(request, len(data["real"])), data)
            request = _in_grid(request, asked, columns)
        else:
            _check_input(run, asked, words)
            request = _reconstruction(run, str(asked.input), columns, console)
    except ValueError as error:
        hints = (nearest(word, [field.name for field in fields(SampleRequest)]) for word in words)
        raise UserError(f"{error}{next(filter(None, hints), '')}") from error
    return replace(request, step=run.step)


def _at_most(request: Request, there: int) -> Request:
    """The request, of no more samples than there are to start from."""
    latent = {name: values[:there] for name, values in request.latent.items()}
    return replace(request, n=min(request.n, there), latent=latent)


def size_of(asked: DictConfig) -> tuple[int, int | None]:
    """How many samples, and in how many columns where the user says so.

    Raises:
        UserError: `grid` says nothing, or another number than `n`.
    """
    rows, columns = grid_of(asked.grid)
    if rows is None or columns is None:
        return asked.n or MANY, columns
    if asked.n not in (None, rows * columns):
        raise UserError(f"grid={asked.grid} holds {rows * columns} samples, but n={asked.n}: leave one of them out")
    return rows * columns, columns


def grid_of(grid: str | None) -> tuple[int | None, int | None]:
    """Rows and columns, where they are said: columns, or rows x columns.

    Raises:
        UserError: it is neither.
    """
    parts = [] if grid is None else grid.lower().replace("×", "x").split("x")
    if any(not part.isdecimal() or not 0 < int(part) <= 10_000 for part in parts) or len(parts) > 2:
        raise UserError(f"grid={grid} should be columns, or rows x columns: grid=10 or grid=4x10")
    numbers = [int(part) for part in parts]
    return (numbers[0] if len(numbers) == 2 else None), (numbers[-1] if numbers else None)


def _in_grid(request: Request, asked: DictConfig, columns: int | None) -> Request:
    """The request with the user's columns.

    Raises:
        ValueError: rows are said too, and do not hold what the game makes.
    """
    rows, _ = grid_of(asked.grid)
    if rows is not None and columns is not None and request.n != rows * columns and asked.interpolate is None:
        raise ValueError(f"grid={asked.grid} does not hold {request.n} samples: say columns only, grid=10")
    return request if columns is None else replace(request, columns=columns)


def truncated(run: TrainedRun, request: Request, bound: float | None) -> Request:
    """The request with noise that is cut off at ±bound, where that is asked for; draws what is not given yet.

    Raises:
        UserError: the game starts from no normal noise, or the bound is none.
    """
    if bound is None or run.game.noise is None:
        if bound is not None:
            raise UserError("truncation= cuts off noise, and this run's game starts from none: leave it out")
        return request
    if not bound > 0:
        raise UserError(f"truncation={bound:g} leaves no noise: use more than 0, such as 0.7")
    drawn = {**run.game.latents(request.n), **request.latent}["noise"]
    try:
        return replace(request, latent={**request.latent, "noise": run.game.noise.truncate(drawn, bound)})
    except ValueError as error:
        raise UserError(str(error)) from error


def _check_input(run: TrainedRun, asked: DictConfig, words: Mapping[str, str]) -> None:
    """Raises ValueError where pictures cannot be given, or something else is asked too."""
    if not run.game.reconstructs and not set(run.game.inputs) - {"caption"}:
        raise ValueError(
            "input=… reconstructs or translates: you need a run with an encoder, such as model=bigan, or one that "
            "translates, such as model=pix2pix"
        )
    if not run.makes_images:
        raise ValueError(f"input=… takes pictures, but this run makes {run.kind.value}: leave it out")
    others = [name for name in ("interpolate", "truncation") if asked[name] is not None]
    if words or others:
        raise ValueError(f"input=… leaves nothing to choose: leave out {', '.join([*words, *others])}")


def _reconstruction(run: TrainedRun, folder: str, columns: int | None, console: Console) -> Request:
    channels, *size = run.shape
    context = DataContext(Path(), torch.device("cpu"), say=console.say)
    fit = run.cfg.dataset.get("fit", "crop")
    pictures = ImageFolder(folder, size, channels, fit=fit).fields(context)["real"]
    inputs = to_real(torch.from_numpy(np.array(pictures)))
    return Request(len(inputs), inputs={(*run.game.inputs, "real")[0]: inputs}, columns=columns or 8)
