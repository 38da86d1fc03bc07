"""Samples of a trained game, as commands and metrics want them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gantrain.games import Game, Request
from gantrain.seeding import Purpose, default_state, mix, restore_default, seed_default
from gantrain.training.machine import Machine
from gantrain.turns import Samples

COLUMNS = 8
"""Of a grid of pictures that lie side by side, unless more are asked for."""
AT_ONCE = 500
"""Samples that are made at once, unless the caller asks for another number, which would draw others."""


def generate_batches(
    game: Game, machine: Machine, request: Request, seed: int, purpose: Purpose, at_once: int = AT_ONCE
) -> Iterator[dict[str, Samples]]:
    """What is asked for, on the CPU, in parts: each of the game's sets of samples, float32 (…, *shape).

    The same for the same seed, purpose, request and `at_once`, whatever is drawn elsewhere between two parts.
    """
    seed_default(mix(seed, purpose), machine.device)
    for start in range(0, request.n, at_once):
        part = slice(start, min(start + at_once, request.n))
        latent = {name: values[part] for name, values in request.latent.items()}
        inputs = {name: values[part] for name, values in request.inputs.items()}
        with machine.autocast():
            made = game.sample(replace(request, n=part.stop - part.start, latent=latent, inputs=inputs))
        state = default_state(machine.device)
        yield {name: samples.map(Tensor.cpu) for name, samples in made.items()}
        restore_default(state, machine.device)


def generate_samples(
    game: Game, machine: Machine, request: Request, seed: int, purpose: Purpose, at_once: int = AT_ONCE
) -> dict[str, Samples]:
    """All that is asked for, as `generate_batches` makes it: sets of n samples each, "samples" first."""
    parts = list(generate_batches(game, machine, request, seed, purpose, at_once))
    return {name: Samples.join([part[name] for part in parts]) for name in parts[0]}


def with_inputs(game: Game, request: Request, data: Mapping[str, Tensor]) -> Request:
    """The request with what its game starts from, out of data of which there are at least as many samples."""
    missing = {name: data[name][: request.n] for name in game.inputs if name not in request.inputs}
    return replace(request, inputs={**request.inputs, **missing}) if missing else request


def side_by_side(made: Mapping[str, Samples], request: Request) -> tuple[Tensor, int | None]:
    """What a picture shows, and in how many columns: all that was given and made for one place beside each other.

    That are pictures (k·n, C, H, W) of one shape; of numbers, the first set alone.
    """
    first = next(iter(made.values())).x
    given = [x.cpu() for x in request.inputs.values()]
    sets = [x for x in (*given, *(samples.x for samples in made.values())) if x.shape == first.shape]
    if first.dim() != 4 or len(sets) == 1:
        return first, request.columns
    columns = len(sets) * max((request.columns or COLUMNS) // len(sets), 1)  # none of them in the next row
    return torch.stack(sets, 1).flatten(0, 1), columns


def in_user_units(samples: Tensor, facts: Mapping[str, Tensor]) -> np.ndarray:
    """Standardised numbers mapped back; everything else as it is."""
    if "mean" in facts:
        samples = samples * facts["std"] + facts["mean"]
    return samples.numpy()
