"""Samples of a trained game, as commands and metrics want them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def with_inputs(game: Game, request: Request, data: Mapping[str, Tensor], first: bool = False) -> Request:
    """The request with what its game starts from and is compared with, out of data of at least as many samples.

    Args:
        first: with the first of its inputs alone, of which "samples" are made.
    """
    inputs = game.inputs[:1] if first else game.inputs
    names = [*inputs, *(name for name in game.compared if name in data)]
    missing = {name: data[name][: request.n] for name in names if name not in request.inputs}
    return replace(request, inputs={**request.inputs, **missing}) if missing else request


def side_by_side(made: Mapping[str, Samples], request: Request, order: Sequence[str] = ()) -> tuple[Tensor, int | None]:
    """What a picture shows, and in how many columns: all that was given and made for one place beside each other.

    That are pictures (k·n, C, H, W), smaller ones with their pixels enlarged to the size of the first set, and grey
    ones beside coloured ones; of numbers, the first set alone.

    Args:
        order: the names of what is shown, where that is not all of it, or not what was given first.
    """
    first = next(iter(made.values())).x
    given = {name: x.cpu() for name, x in request.inputs.items() if name not in made}
    every = given | {name: samples.x for name, samples in made.items()}
    if first.dim() == 4:
        every = {name: _enlarged(x, first) for name, x in every.items()}
        if any(x.shape[1:] == (3, *first.shape[2:]) for x in every.values()):
            grey = (1, *first.shape[2:])
            every = {name: x.expand(-1, 3, -1, -1) if x.shape[1:] == grey else x for name, x in every.items()}
        first = every[next(iter(made))]
    sets = [every[name] for name in order or every if name in every and every[name].shape == first.shape]
    if first.dim() != 4 or len(sets) == 1:
        return first, request.columns
    columns = len(sets) * max((request.columns or COLUMNS) // len(sets), 1)  # none of them in the next row
    return torch.stack(sets, 1).flatten(0, 1), columns


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Pictures with every pixel as often as brings them to the size of others, where that is a whole number."""
    if x.dim() != 4:
        return x
    times = max(like.shape[2] // x.shape[2], 1)
    return x if times == 1 else x.repeat_interleave(times, 2).repeat_interleave(times, 3)


def in_user_units(samples: Tensor, facts: Mapping[str, Tensor]) -> np.ndarray:
    """Standardised numbers mapped back; everything else as it is."""
    if "mean" in facts:
        samples = samples * facts["std"] + facts["mean"]
    return samples.numpy()
