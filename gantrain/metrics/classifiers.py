"""Figures of classifiers."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from gantrain.data import Batches, Place, Source
from gantrain.metrics.base import Evaluation, Metric


class TestError(Metric):
    """The share of held-out samples that the game's classifier names wrong."""

    keys: ClassVar[tuple[str, ...]] = ("test_error",)
    needs_classifier = True

    def check(self, source: Source) -> None:
        if not source.classes or source.held_out_part() is None:
            raise ValueError(
                f"metric {self.keys[0]} needs a dataset with labels and a held-out part: mnist, fashion_mnist, "
                "cifar10, or digits with dataset.held_out=360"
            )

    def prepare(self, source: Source, place: Place) -> None:
        self._held_out(source, place).close()

    def _held_out(self, source: Source, place: Place) -> Batches:
        part = source.held_out_part()
        assert part is not None
        return part.open(replace(place, limit=None))

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        assert evaluation.classify is not None
        assert evaluation.place is not None
        batches = self._held_out(evaluation.source, replace(evaluation.place, say=lambda text: None))
        assert batches.size is not None
        try:
            held = batches.draw(0, batches.size)
        finally:
            batches.close()
        named = evaluation.classify(held["real"].cpu()).argmax(1)
        labels = held["label"].cpu()
        return {self.keys[0]: (self.read(named, labels) != labels).double().mean().item()}

    def read(self, named: Tensor, labels: Tensor) -> Tensor:
        """The labels that the classifier's classes stand for."""
        return named


class CodeError(TestError):
    """The same for codes that no label taught: each stands for the label that the best one-to-one assignment gives."""

    keys = ("code_error",)

    def read(self, named: Tensor, labels: Tensor) -> Tensor:
        return assigned(named, labels)[named]


def assigned(named: Tensor, labels: Tensor) -> Tensor:
    """The label of each code: the one-to-one assignment under which most samples are named right."""
    from scipy.optimize import linear_sum_assignment

    count = int(max(named.max(), labels.max())) + 1
    table = torch.bincount(named * count + labels, minlength=count * count).view(count, count)
    codes, found = linear_sum_assignment(table.numpy(), maximize=True)
    mapping = torch.zeros(count, dtype=torch.int64)
    mapping[torch.from_numpy(codes)] = torch.from_numpy(found)
    return mapping
