"""What metrics are given: real and generated samples in batches, and what is computed of them once for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar, cast

import torch
from torch import Tensor

from gantrain.data import Batches, DataContext, Source, identity_of, to_pixels
from gantrain.kinds import Kind
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.untrusted import printable

Part = Literal["train", "held_out"]
Made = TypeVar("Made")
RealSamples = Callable[[int], Iterable[Mapping[str, Tensor]]]
BestAnswers = Callable[[int, float, float, RealSamples], tuple[float, float]]

AT_ONCE = 500
"""Samples in a batch, unless a metric asks for another number."""
ORDER = 0
"""The seed of the order of real samples."""
KEPT = 2**31
"""Bytes of generated pixels that are kept for all metrics: more of them are generated for each anew."""


class Cached:
    """Holds what was computed of it."""

    def __init__(self) -> None:
        self._made: dict[tuple[Callable[..., object], tuple[Hashable, ...]], object] = {}

    def once(self, make: Callable[..., Made], *arguments: Hashable) -> Made:
        """`make(self, *arguments)`, computed once for all who ask with the same function and equal arguments.

        Args:
            make: a function of a module; one that is made anew for each call would never be found again.
        """
        key = (make, arguments)
        if key not in self._made:
            self._made[key] = make(self, *arguments)
        return cast(Made, self._made[key])


class RealData(Cached):
    """The real samples of a run's evaluations: each part is opened once and never augmented.

    Its order is the same for all seeds, so that runs which differ in nothing else are compared with the same samples.
    What `once` computes of it, such as features of real samples, is kept for all evaluations of the run.

    Args:
        source: where the samples come from.
        context: where they are read from. The held-out part is whole, whatever its `limit`.
        training: the part that is trained on, where it is open already.
    """

    def __init__(self, source: Source, context: DataContext, training: Batches | None = None) -> None:
        super().__init__()
        self.source, self.context, self._training = source, context, training
        self._opened: dict[Part, Batches] = {} if training is None else {"train": training.unaugmented(ORDER)}

    @property
    def name(self) -> str:
        """The data set with the shape of a sample and what tells it from others, as protocols name it."""
        return self.once(_name)

    @property
    def unseen(self) -> Part:
        """The held-out part where there is one, else what is trained on."""
        return "train" if self.source.held_out_part() is None else "held_out"

    def open(self, part: Part) -> Batches:
        """A part, ready to be drawn; it stays open.

        Raises:
            UserError: the files are not there or cannot be read.
        """
        if part not in self._opened:
            source = self.source if part == "train" else self.source.held_out_part()
            assert source is not None, "a metric checks that there is what it needs"
            context = self.context if part == "train" else replace(self.context, limit=None)
            self._opened[part] = source.open(context).unaugmented(ORDER)
        return self._opened[part]

    def count(self, part: Part) -> int:
        """How many samples a part has."""
        size = self.open(part).size
        assert size is not None, "there is no end to samples that are drawn afresh"
        return size

    def batches(
        self, part: Part, n: int | None = None, at_once: int = AT_ONCE, start: int = 0
    ) -> Iterator[dict[str, Tensor]]:
        """n samples of a part from `start` on, `at_once` at a time and on the device: the same in every pass.

        Args:
            n: all that there are, unless given; necessary where samples are drawn afresh.
        """
        opened = self.open(part)
        end = self.count(part) if n is None else start + n
        for position in range(start, end, at_once):
            seed_default(mix(ORDER, Purpose.REAL_DATA, position), self.context.device)
            yield opened.draw(position, min(at_once, end - position))

    def close(self) -> None:
        """Lets go of threads and files, but not of what was open already."""
        for opened in self._opened.values():
            if opened is not self._training:
                opened.close()


class Evaluation(Cached):
    """What is to be evaluated: generated samples and the discriminator, beside the real data.

    What `once` computes of it, such as features of generated samples, is kept for all metrics of this evaluation.

    Args:
        real: what generated samples are compared with.
        generate: n, a multiple of 500, to n generated samples in parts, float32 (…, *shape) on the CPU; of a larger n
            they are the first.
        discriminator: samples (n, *shape) on the CPU to logits (n,), or None where a game has no single one.
        probability: the sigmoid of a logit is a probability.
        features: samples (n, *shape) on the CPU to what the discriminator's last layer sees, (n, F) or (n, F, H, W), or
            None where a game has no single one.
        classify: samples (n, *shape) to class logits (n, K) on the CPU, where the game has a classifier.
        at_once: so many samples the game plays with at once in training.
        labelled: as `generate`, with the label (…,) int64 of each sample, where the game gives labels.
        averaged: the samples are those of an averaged generator.
        best_answers: turns, rate, noise, and what gives real samples in batches of a size, to the value of the game
            after the discriminator's best answer and after the generator's; None where the game has none.
        pack: so many samples the discriminator judges as one.
        sets: n to every set of samples that the game makes, in parts, by name and on the CPU, with the data that they
            were made of, where they were.
        from_data: samples are made of data.
    """

    def __init__(
        self,
        real: RealData,
        generate: Callable[[int], Iterable[Tensor]],
        discriminator: Callable[[Tensor], Tensor] | None = None,
        probability: bool = False,
        classify: Callable[[Tensor], Tensor] | None = None,
        at_once: int = AT_ONCE,
        averaged: bool = False,
        features: Callable[[Tensor], Tensor] | None = None,
        labelled: Callable[[int], Iterable[tuple[Tensor, Tensor]]] | None = None,
        best_answers: BestAnswers | None = None,
        pack: int = 1,
        sets: Callable[[int], Iterable[Mapping[str, Tensor]]] | None = None,
        from_data: bool = False,
    ) -> None:
        super().__init__()
        self.averaged, self.features, self.best_answers = averaged, features, best_answers
        self.most = 0
        self._pixels: Tensor | None = None
        self.real, self._generate = real, generate
        self.discriminator, self.probability = discriminator, probability
        self.classify, self.at_once, self.labelled = classify, at_once, labelled
        self.pack, self.sets, self.from_data = pack, sets, from_data

    def expect(self, n: int) -> None:
        """Tells that n samples will be asked for: they are generated in one go then, for all who ask for fewer too."""
        self.most = max(self.most, -(-n // AT_ONCE) * AT_ONCE)

    def samples(self, n: int) -> Tensor:
        """n generated samples (n, *shape) float32, drawn once: for numbers, of which all fit into memory."""
        return self.once(_samples, max(n, self.most))[:n]

    def batches(self, n: int, at_once: int = AT_ONCE) -> Iterator[Tensor]:
        """n generated samples, `at_once` at a time, float32: drawn as they are asked for, the same in every pass."""
        rest: Tensor | None = None
        for part in _first(n, self._generate(-(-n // AT_ONCE) * AT_ONCE)):
            rest = part if rest is None else torch.cat([rest, part])
            while len(rest) >= at_once:
                yield rest[:at_once]
                rest = rest[at_once:]
        if rest is not None and len(rest):
            yield rest

    def encoded(self, n: int) -> Tensor:
        """n generated samples as feature spaces take them: pixels uint8 of images, and others as they are."""
        return self.pixels(n) if Kind.of(self.real.source.shape) is Kind.PICTURES else self.samples(n)

    def pixels(self, n: int) -> Tensor:
        """n generated images as pixels uint8 (n, C, H, W), drawn once for all; more than `KEPT` are not kept."""
        if self._pixels is None or len(self._pixels) < n:
            most = max(n, self.most)
            made = torch.cat([to_pixels(part) for part in self.batches(most if self.keeps(most) else n)])
            if not self.keeps(len(made)):
                return made
            self._pixels = made
        return self._pixels[:n]

    def keeps(self, n: int) -> bool:
        """Whether n generated samples are few enough to be kept."""
        shape = self.real.source.shape
        each = {Kind.NUMBERS: 0, Kind.SOUND: 4, Kind.PICTURES: 1}[Kind.of(shape)]
        return n * math.prod(shape) * each <= KEPT


def _first(n: int, parts: Iterable[Tensor]) -> Iterator[Tensor]:
    """The first n samples, in the same parts."""
    for part in parts:
        yield part[:n]
        n -= len(part)
        if n <= 0:
            return


def _name(real: RealData) -> str:
    where = getattr(real.source, "path", None)
    named = f"{type(real.source).__name__} {'x'.join(str(length) for length in real.source.shape)}"
    return (
        f"{named} {printable(where.name) if isinstance(where, Path) else ''}".strip() + f" #{identity_of(real.source)}"
    )


def _samples(evaluation: Evaluation, n: int) -> Tensor:
    return torch.cat(list(evaluation.batches(n)))
