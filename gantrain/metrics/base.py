"""What a metric is given and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar, cast

import numpy as np
from torch import Tensor

from gantrain.data import Place, Source

Made = TypeVar("Made")


class Evaluation:
    """What is to be judged: the source, generated samples, and the discriminator.

    Args:
        source: where the real data comes from.
        draw: n to n generated samples (n, *shape) on the CPU; always the same for the same n.
        discriminator: samples (n, *shape) on the CPU to logits (n,), or None where a game has no single one.
        probability: the sigmoid of a logit is a probability.
        classify: samples (n, *shape) on the CPU to class logits (n, K), where the game has a classifier.
        place: where the source's held-out part is read from.
    """

    def __init__(
        self,
        source: Source,
        draw: Callable[[int], Tensor],
        discriminator: Callable[[Tensor], Tensor] | None = None,
        probability: bool = False,
        classify: Callable[[Tensor], Tensor] | None = None,
        place: Place | None = None,
    ) -> None:
        self.source, self._draw = source, draw
        self.discriminator, self.probability = discriminator, probability
        self.classify, self.place = classify, place
        self._drawn: dict[int, np.ndarray] = {}
        self._made: dict[tuple[Callable[..., object], int], object] = {}

    def samples(self, n: int) -> np.ndarray:
        """n generated samples, drawn once for all metrics that want as many: float64 (n, D) or float32 (n, C, H, W)."""
        if n not in self._drawn:
            drawn = self._draw(n)
            precise = drawn.dim() == 2  # thousands of images would fill memory
            self._drawn[n] = (drawn.double() if precise else drawn.float()).numpy()
        return self._drawn[n]

    def once(self, make: Callable[[Evaluation, int], Made], n: int) -> Made:
        """What `make` makes of this evaluation and n samples, made once for all metrics that want it."""
        if (make, n) not in self._made:
            self._made[make, n] = make(self, n)
        return cast(Made, self._made[make, n])


class Metric:
    """Judges an evaluation. `keys` names the figures it gives, `higher_is_better` those for which that holds.

    Raises:
        ValueError: when it is built with settings that make no sense.
    """

    keys: ClassVar[tuple[str, ...]] = ()
    needs_classifier: ClassVar[bool] = False
    higher_is_better: ClassVar[frozenset[str]] = frozenset()

    def check(self, source: Source) -> None:
        """Before any data is read.

        Raises:
            ValueError: the metric cannot judge such data.
        """

    def prepare(self, source: Source, place: Place) -> None:
        """Before the first step: reads what evaluations will need besides the data that is trained on.

        Raises:
            UserError: it is not there, or cannot be read.
        """

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        """The figures, by the last part of their tags."""
        raise NotImplementedError


def evaluate(metrics: Mapping[str, Metric], evaluation: Evaluation) -> dict[str, float]:
    """All figures, tagged `metrics/…`."""
    figures: dict[str, float] = {}
    for metric in metrics.values():
        figures |= {f"metrics/{key}": float(value) for key, value in metric(evaluation).items()}
    return figures
