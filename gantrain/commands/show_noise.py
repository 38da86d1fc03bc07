"""show=noise: which dimensions of the noise move samples, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from gantrain.commands.asking import request_of
from gantrain.commands.sampling import generate_samples, in_user_units
from gantrain.commands.shown import Shown
from gantrain.commands.trained import TrainedRun
from gantrain.errors import UserError
from gantrain.games import Request
from gantrain.kinds import Kind
from gantrain.report.console import Console
from gantrain.report.looks import Sweep, sweep_page
from gantrain.report.pictures import to_pixels
from gantrain.seeding import Purpose

BASES, TOP = 16, 8
"""Samples over which the change is a mean, and dimensions whose sweep is shown."""
MEASURED, DRAWN = 5, 9
"""Places of a sweep that is measured, and of one that is shown."""


def show_noise(run: TrainedRun, asked: DictConfig, words: Mapping[str, str], form: str, console: Console) -> Shown:
    """The dimensions of the noise by how much they change samples, and sweeps of the first of them.

    Raises:
        UserError: the game starts from no noise, or makes sound, or the words say all that it starts from.
    """
    noise = run.game.noise
    if noise is None:
        raise UserError("show=noise moves the noise, and this run's game starts from none: choose another show=")
    if run.kind is Kind.SOUND:
        raise UserError(
            "show=noise tells pictures and numbers apart, but this run makes sound: listen to interpolate=slerp instead"
        )
    request = request_of(run, asked, words, console, asked.n or BASES)
    if "noise" in request.latent:
        raise UserError(f"show=noise moves the noise, which {' '.join(words)}= fixes: leave it out")
    latent = {**run.game.latents(request.n), **request.latent}
    console.say(f"{noise.dim} dimensions of the noise, {request.n} samples each")
    measured = np.linspace(*noise.span, MEASURED)
    every = [_change(run, replace(request, latent=latent), k, measured, asked.seed) for k in range(noise.dim)]
    change = np.array(every)
    order = np.argsort(-change, kind="stable")
    places = np.linspace(*noise.span, DRAWN)
    one = {name: values[:1] for name, values in latent.items()}
    first = Request(1, one, {name: x[:1] for name, x in request.inputs.items()}, step=run.step)
    rows = np.stack([_swept(run, first, int(k), places, asked.seed)[:, 0] for k in order[:TOP]])
    unit = "levels of 255 per unit of noise" if run.makes_images else "in units of the data per unit of noise"
    sweep = Sweep(order, change[order], unit, places, rows)
    title = f"{run.cfg.name}, step {run.step:,}: what each dimension of the noise does"

    def arrays() -> dict[str, np.ndarray]:
        flat = rows.reshape(-1, *rows.shape[2:])
        held = to_pixels(flat) if run.makes_images else flat.astype(np.float32)
        return {"samples": held, "dimensions": order, "change": change[order], "places": places}

    return Shown("samples moved through their noise", request.n, lambda: sweep_page(sweep, title), arrays)


def _change(run: TrainedRun, request: Request, dimension: int, places: np.ndarray, seed: int) -> float:
    """The mean way of samples where one dimension goes through all places, per unit of its way.

    Of a picture it is the mean over pixels, in levels of 255; of numbers the distance.
    """
    steps = np.diff(_swept(run, request, dimension, places, seed), axis=0)
    way = np.abs(steps).mean() * 127.5 if run.makes_images else np.sqrt((steps**2).sum(-1)).mean()
    return float(way * len(steps) / (places[-1] - places[0]))


def _swept(run: TrainedRun, request: Request, dimension: int, places: np.ndarray, seed: int) -> np.ndarray:
    """Samples (places, n, …) in the user's units."""
    made = []
    for place in places.tolist():
        noise = request.latent["noise"].clone()
        noise[:, dimension] = place
        latent: dict[str, Tensor] = {**request.latent, "noise": noise}
        parts = generate_samples(run.game, run.machine, replace(request, latent=latent), seed, Purpose.SAMPLES)
        made.append(next(iter(parts.values())).x)
    return in_user_units(torch.stack(made), run.facts).astype(np.float64)
