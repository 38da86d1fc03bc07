"""Walks between noises: what lies between two samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gantrain.commands.sampling import generate_samples
from gantrain.commands.trained import TrainedRun
from gantrain.errors import UserError
from gantrain.games import Request
from gantrain.seeding import Purpose
from gantrain.turns import Samples

STOPS = 4
"""Noises through which a sample walks in a film before it comes back."""


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Between rows of a and b (n, d) along the great circle (White 2016, "Sampling Generative Networks").

    Normal noise in many dimensions lies near a sphere; the straight line leaves it. Rows that point the same way, or
    opposite ways, have no one great circle: for them the straight line it is.
    """
    cosine = torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=1).clamp(-1, 1)
    angle = cosine.acos()[:, None]
    sine = angle.sin()
    along = ((1 - t) * angle).sin() / sine * a + (t * angle).sin() / sine * b
    return torch.where(sine > 1e-4, along, linear(a, b, t).double()).to(a.dtype)


def linear(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Between a and b on the straight line."""
    return (1 - t) * a + t * b


WAYS = {"slerp": slerp, "linear": linear}


def way_of(run: TrainedRun, asked: str | None) -> str:
    """The way that is asked for; by default `slerp` where noise has a sphere, else `linear`.

    Raises:
        UserError: there is no such way, or it does not suit the run's noise.
    """
    noise = run.game.noise
    if noise is None:
        raise UserError("interpolate= walks between noises, and this run's game starts from none: leave it out")
    round_noise = noise.kind == "normal" and noise.dim > 1
    if asked is None:
        return "slerp" if round_noise else "linear"
    if asked not in WAYS:
        raise UserError(f"interpolate is {' or '.join(WAYS)}, got {asked}")
    if asked == "slerp" and not round_noise:
        what = noise.kind if noise.kind != "normal" else "of one dimension"
        raise UserError(f"interpolate=slerp follows a sphere, but this run's noise is {what}: use interpolate=linear")
    return asked


def walk(
    run: TrainedRun, requests: Sequence[Request], way: str, places: Sequence[float], seed: int
) -> list[dict[str, Samples]]:
    """What the game makes at each place of a walk: sets of n samples, n the same in all requests.

    Noise goes the given way from the first request to the second, and so on; place 1.5 is half-way between the second
    and the third. Other numbers, such as continuous codes, go straight; labels and all else stay as they are at first.
    """
    made = []
    for place in places:
        k = min(int(place), len(requests) - 2)
        here, there = requests[k].latent, requests[k + 1].latent
        latent = {
            name: _between(name, values, here[name], there[name], way, place - k)
            for name, values in requests[0].latent.items()
        }
        made.append(generate_samples(run.game, run.machine, replace(requests[0], latent=latent), seed, Purpose.SAMPLES))
    return made


def _between(name: str, first: Tensor, here: Tensor, there: Tensor, way: str, t: float) -> Tensor:
    if name == "noise":
        return WAYS[way](here, there, t)
    return linear(here, there, t) if first.is_floating_point() else first
