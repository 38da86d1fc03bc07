"""What metrics are given: real and generated samples in batches, and what is computed of them once for all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from typing import Literal, TypeVar, cast

import torch
from torch import Tensor

from gantrain.data import Batches, DataContext, Source, to_pixels
from gantrain.seeding import Purpose, mix, seed_default

Part = Literal["train", "held_out"]
Made = TypeVar("Made")

AT_ONCE = 500
"""Samples in a batch, unless a metric asks for another number."""


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

    What `once` computes of it, such as features of real samples, is kept for all evaluations of the run.

    Args:
        source: where the samples come from.
        context: where they are read from. The held-out part is whole, whatever its `limit`.
        training: the part that is trained on, where it is open already.
    """

    def __init__(self, source: Source, context: DataContext, training: Batches | None = None) -> None:
        super().__init__()
        self.source, self.context, self._training = source, context, training
        self._opened: dict[Part, Batches] = {} if training is None else {"train": training.unaugmented()}

    def open(self, part: Part) -> Batches:
        """A part, ready to be drawn; it stays open.

        Raises:
            UserError: the files are not there or cannot be read.
        """
        if part not in self._opened:
            source = self.source if part == "train" else self.source.held_out_part()
            assert source is not None, "a metric checks that there is what it needs"
            context = self.context if part == "train" else replace(self.context, limit=None)
            self._opened[part] = source.open(context).unaugmented()
        return self._opened[part]

    def batches(self, part: Part, n: int | None = None, at_once: int = AT_ONCE) -> Iterator[dict[str, Tensor]]:
        """n samples of a part, `at_once` at a time and on the device: the same in every pass.

        Args:
            n: all that there are, unless given; necessary where samples are drawn afresh.
        """
        opened = self.open(part)
        n = opened.size if n is None else n
        assert n is not None, "there is no end to samples that are drawn afresh"
        for start in range(0, n, at_once):
            seed_default(mix(self.context.seed, Purpose.REAL_DATA, start), self.context.device)
            yield opened.draw(start, min(at_once, n - start))

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
        generate: n to n generated samples in parts, float32 (…, *shape) on the CPU; always the same for the same n.
        discriminator: samples (n, *shape) on the CPU to logits (n,), or None where a game has no single one.
        probability: the sigmoid of a logit is a probability.
        classify: samples (n, *shape) to class logits (n, K) on the CPU, where the game has a classifier.
        at_once: so many samples the classifier sees at once in training.
    """

    def __init__(
        self,
        real: RealData,
        generate: Callable[[int], Iterable[Tensor]],
        discriminator: Callable[[Tensor], Tensor] | None = None,
        probability: bool = False,
        classify: Callable[[Tensor], Tensor] | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        super().__init__()
        self.real, self._generate = real, generate
        self.discriminator, self.probability = discriminator, probability
        self.classify, self.at_once = classify, at_once

    def samples(self, n: int) -> Tensor:
        """n generated samples (n, *shape) float32, drawn once: for numbers, of which all fit into memory."""
        return self.once(_samples, n)

    def batches(self, n: int, at_once: int = AT_ONCE) -> Iterator[Tensor]:
        """n generated samples, `at_once` at a time, float32: drawn as they are asked for, the same in every pass."""
        rest: Tensor | None = None
        for part in self._generate(n):
            rest = part if rest is None else torch.cat([rest, part])
            while len(rest) >= at_once:
                yield rest[:at_once]
                rest = rest[at_once:]
        if rest is not None and len(rest):
            yield rest

    def pixels(self, n: int) -> Tensor:
        """n generated images as pixels uint8 (n, C, H, W), drawn once."""
        return self.once(_pixels, n)


def _samples(evaluation: Evaluation, n: int) -> Tensor:
    return torch.cat(list(evaluation.batches(n)))


def _pixels(evaluation: Evaluation, n: int) -> Tensor:
    return torch.cat([to_pixels(part) for part in evaluation.batches(n)])
