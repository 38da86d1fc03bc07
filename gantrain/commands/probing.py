"""A cheap look, now and then, at what a run makes: numbers for its health, never called results."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from gantrain.commands.sampling import generate_samples, with_inputs
from gantrain.data import Source
from gantrain.errors import UserError
from gantrain.games import Game, Request
from gantrain.metrics import RealData
from gantrain.metrics.evaluation import AT_ONCE, Part
from gantrain.metrics.pairwise import nearest
from gantrain.metrics.quick_looks import (
    comparable,
    copied,
    energy_distance,
    high_frequency_share,
    label_excess,
    missing,
    missing_classes,
)
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.training.machine import Machine
from gantrain.turns import Batch, Samples

GENERATED = 256
"""Samples that are made for a look, and as many real ones that they are set against."""
NUMBERS_HELD = 2_000_000
"""Of pixels of training samples that are kept to find copies and classes; a share of a large data set."""
NUMBERS_AT_ONCE = 12_000_000
"""Of pixels of training samples that are on the device at a time as they are."""
ENOUGH = 0.1
"""Of the training samples: where fewer can be kept, copies are not looked for."""
PARTS: tuple[Part, ...] = ("train", "held_out")
SMALLEST_PICTURE = 16
"""Below it an upper third of a spectrum is a ring or two."""


@dataclass(frozen=True)
class Reference:
    """Real samples to compare with, on the device, made `comparable`: (n, D) float32.

    Attributes:
        real: against which generated samples are set.
        others: as many again.
        known: training samples among which nearest ones are looked up, with their labels where there are any.
        share: of the training samples that `known` are; 0 where samples are drawn afresh.
        size: of the training data; None where samples are drawn afresh.
        apart: the distance of each known sample to the nearest other.
        agreement: the share of known samples whose nearest other has their label, None without labels.
        upper_third: of the spectrum of real pictures, decibels; None of what has none.
    """

    real: Tensor
    others: Tensor
    known: Tensor
    labels: Tensor | None
    share: float
    size: int | None
    apart: Tensor
    agreement: float | None
    upper_third: float | None


class Probe:
    """Looks at samples of the generator whose pictures are shown, and at what D makes of data that it never saw.

    Nothing of a run follows from it: networks are in evaluation mode and seeds are its own.

    Args:
        real: the run's real data; its held-out part is used where it can be opened.
        at_once: samples that networks are given at once: as many as when training, for so many fit.
    """

    def __init__(self, game: Game, real: RealData, machine: Machine, seed: int, at_once: int = GENERATED) -> None:
        self._game, self._data, self._machine, self._seed = game, real, machine, seed
        self._at_once = max(1, min(at_once, GENERATED))
        self._held_out = _opens_held_out(real)

    def __call__(self, step: int) -> dict[str, float]:
        """Numbers `health/…` of the run as it is in this step."""
        return self._weights() | self._samples(step) if step == 0 else self._samples(step)

    def _weights(self) -> dict[str, float]:
        """The root mean square of each player's parameters before the first step, from which they grow."""
        found = {}
        for player in self._game.players:
            parameters = [p.detach() for p in self._game.parameters_of(player.name)]
            count = sum(p.numel() for p in parameters)
            norm = nn.utils.get_total_norm(parameters)
            found[f"health/weights/{player.name}"] = float(norm) / math.sqrt(max(count, 1))
        return found

    def _samples(self, step: int) -> dict[str, float]:
        reference = self._reference
        data = next(iter(self._data.batches("train", GENERATED, GENERATED))) if self._game.inputs else {}
        request = with_inputs(self._game, Request(GENERATED, step=step), data)
        made = generate_samples(self._game, self._machine, request, self._seed, Purpose.HEALTH, self._at_once)
        x = made["samples"].x.float()
        if not bool(x.isfinite().all()):
            return {}
        found = self._numbers(comparable(x).to(self._machine.device), reference)
        if reference.upper_third is not None:
            parts = (part.to(self._machine.device) for part in x.split(self._at_once))
            found["health/spectrum"] = high_frequency_share(parts) - reference.upper_third
        return found | self._overfitting(step)

    def _numbers(self, x: Tensor, reference: Reference) -> dict[str, float]:
        found = {
            "health/energy_distance": energy_distance(x, reference.real),
            "health/missing": missing(x, reference.real, reference.others),
        }
        if reference.size is not None:
            found["health/training_samples"] = reference.size
        distances, places = nearest(x, reference.known)
        if reference.labels is not None and reference.agreement is not None:
            found["health/label_excess"] = label_excess(reference.labels, reference.agreement)
            absent = missing_classes(reference.labels[places], reference.labels, reference.agreement)
            if absent is not None:
                found["health/missing_classes"] = absent
        if reference.share >= ENOUGH and len(self._data.source.shape) == 3:
            found["health/copied"] = copied(distances, reference.apart, reference.share)
        return found

    @cached_property
    def _reference(self) -> Reference:
        size = self._data.open("train").size
        shape = self._data.source.shape
        length = comparable(torch.zeros(1, *shape)).shape[1]
        most = max(NUMBERS_HELD // length, 2 * GENERATED)
        n = min(size, most) if size is not None else 2 * GENERATED
        at_once = max(1, min(AT_ONCE, NUMBERS_AT_ONCE // math.prod(shape)))
        known, named = [], []
        for part in self._data.batches("train", n, at_once):
            known.append(comparable(part["real"]))
            named += [part["label"]] if "label" in part else []
        x, labels = torch.cat(known), torch.cat(named) if named else None
        apart, places = nearest(x, x, own=0)
        agrees = float((labels[places] == labels).float().mean()) if labels is not None else None
        half = min(GENERATED, max(n // 2, 1))
        share = n / size if size is not None else 0.0
        upper = None
        if len(shape) == 3 and min(shape[1:]) >= SMALLEST_PICTURE:
            upper = high_frequency_share(part["real"] for part in self._data.batches("train", half, at_once))
        return Reference(x[:half], x[half : 2 * half], x, labels, share, size, apart, agrees, upper)

    def _overfitting(self, step: int) -> dict[str, float]:
        """How much further D puts training samples from generated ones than held-out ones (Karras et al. 2020, r_v)."""
        if not self._held_out:
            return {}
        device, game = self._machine.device, self._game
        whole = GENERATED // self._at_once * self._at_once  # as batches are when training, which tricks may rely on
        name = game.discriminators[0]
        logits: dict[str, list[Tensor]] = {kind: [] for kind in (*PARTS, "fake")}
        for part in PARTS:
            for number, data in enumerate(self._data.batches(part, whole, self._at_once)):
                seed_default(mix(self._seed, Purpose.HEALTH, number), device)
                batch = game.batch_at(step, game.latents(len(data["real"])), data)
                with game.evaluating(*game.children()), self._machine.autocast():
                    logits[part].append(self._score(name, game.real(batch)[name], batch))
                    if part == "train":
                        logits["fake"].append(self._score(name, game.generate(batch)[name], batch))
        train, held_out, fake = (torch.cat(values).mean() for values in logits.values())
        above = float(train - fake)
        return {"health/overfitting": float(train - held_out) / above} if above > 0 else {}

    def _score(self, name: str, samples: Samples, batch: Batch) -> Tensor:
        """Logits of samples that are not augmented."""
        return self._game.score(name, self._game.tricks.pack(samples), batch).logits.float()


def _opens_held_out(real: RealData) -> bool:
    source: Source = real.source
    if source.held_out_part() is None:
        return False
    try:
        real.open("held_out")
    except UserError:  # it is not here: health goes without
        return False
    return True
