"""The sheet of `gantrain data`: samples as they are packed, and as the discriminator will see them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gantrain.data import DataContext, Source
from gantrain.data.batches import to_real
from gantrain.kinds import Kind
from gantrain.report.sheet import render_numbers, render_sheet
from gantrain.report.sounds import RATE, SoundSheet
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.tricks import Trick
from gantrain.turns import Batch, Samples

NUMBERS = 10_000
"""Samples that are looked at, where they are numbers."""
SOUNDS = 64
"""Sounds on the sheet."""
COLUMNS = 12
"""Pictures in a row of the sheet."""


def sheet_of(
    fields: Mapping[str, np.ndarray], source: Source, context: DataContext, tricks: Mapping[str, Trick], n: int
) -> np.ndarray:
    """A page of n samples; numbers in axes.

    Args:
        fields: what the source holds.
    """
    real, kind = fields["real"], Kind.of(source.shape)
    if kind is Kind.NUMBERS:
        return render_numbers(np.asarray(real, np.float64)[:NUMBERS])
    if source.input_shape is None:
        index = np.random.default_rng(context.seed).permutation(len(real))[:n]  # the first may be of one class
        plain_ones = Samples(to_real(torch.from_numpy(np.array(real[np.sort(index)]))))
    else:
        with closing(source.open(replace(context, say=lambda text: None))) as batches:
            seed_default(mix(context.seed, Purpose.PICTURES), torch.device("cpu"))
            drawn = batches.unaugmented().draw(0, min(n, len(real)))
        plain_ones = Samples(drawn["real"], {"input": drawn["input"]})
    if kind is Kind.SOUND:
        return SoundSheet(source.rate or RATE).render(plain_ones.x[:SOUNDS].numpy(), "")
    parts = [("as packed", plain_ones), *_augmented(plain_ones, source, tricks, context.seed)]
    rows = [row for caption, samples in parts for row in _rows(caption, samples)]
    return render_sheet(rows, min(n, COLUMNS))


def _rows(caption: str, samples: Samples) -> list[tuple[str, np.ndarray]]:
    """Pictures under their caption; of pairs what is given, and under it what should be made of it."""
    given = samples.conditions.get("input")
    if given is None:
        return [(caption, samples.x.numpy())]
    if given.shape[1] == 1:
        given = given.expand_as(samples.x[:, :3])
    return [(f"{caption}: what is given", given.numpy()), (f"{caption}: what is asked for", samples.x.numpy())]


@torch.no_grad()
def _augmented(x: Samples, source: Source, tricks: Mapping[str, Trick], seed: int) -> list[tuple[str, Samples]]:
    """The same pictures under each augmentation that was chosen, and under all of them where there are several."""
    seed_default(mix(seed, Purpose.PICTURES), torch.device("cpu"))
    parts: list[tuple[str, Samples]] = []
    together = x
    augment: Any = getattr(source, "augment", None)
    if augment is not None and (chosen := augment.chosen):
        words = ", ".join(name if value is True else f"{name} {value}" for name, value in chosen.items())
        together = x.map_pictures(augment)
        parts.append((f"dataset.augment: {words}", together))
    batch = Batch({}, {}, torch.zeros((), dtype=torch.int64))
    for trick in tricks.values():
        if type(trick).augment is not Trick.augment:

            def change(pictures: Tensor, trick: Trick = trick) -> Tensor:
                return trick.augment(pictures, batch)

            parts.append((trick.show(), x.map_pictures(change)))
            together = together.map_pictures(change)
    return [*parts, ("all of these, as D sees them", together)] if len(parts) > 1 else parts
