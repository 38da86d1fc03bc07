"""Figures of classifiers."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrain.data import Source
from gantrain.metrics.base import Metric
from gantrain.metrics.evaluation import Evaluation, RealData


class TestError(Metric):
    """The share of held-out samples that the game's classifier names wrong."""

    keys = ("test_error",)
    needs_classifier = True

    def check(self, source: Source) -> None:
        if not source.classes or source.held_out_part() is None:
            raise ValueError(
                f"metric {self.keys[0]} needs a dataset with labels and a held-out part: mnist, fashion_mnist, "
                "cifar10, or digits with dataset.held_out=360"
            )

    def prepare(self, real: RealData) -> None:
        real.open("held_out")

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        classes, labels = evaluation.once(held_out_classes)
        return {self.keys[0]: (self.to_labels(classes, labels) != labels).double().mean().item()}

    def to_labels(self, classes: Tensor, labels: Tensor) -> Tensor:
        """The labels that the classifier's classes stand for."""
        return classes


class CodeError(TestError):
    """The same for codes that no label taught: each stands for the label that the best one-to-one assignment gives."""

    keys = ("code_error",)

    def to_labels(self, classes: Tensor, labels: Tensor) -> Tensor:
        return assigned(classes, labels)[classes]


def held_out_classes(evaluation: Evaluation) -> tuple[Tensor, Tensor]:
    """The class (n,) that the game's classifier gives each held-out sample, and its label (n,).

    Every batch is as large as in training, for a trick may let samples meet: the first samples fill up the last one.
    """
    assert evaluation.classify is not None
    at_once, classes, labels = evaluation.at_once, [], []
    first: Tensor | None = None
    for batch in evaluation.real.batches("held_out", at_once=at_once):
        x = batch["real"]
        first = x if first is None else first
        full = torch.cat([x, first[torch.arange(at_once - len(x)) % len(first)]])
        classes.append(evaluation.classify(full)[: len(x)].argmax(1))
        labels.append(batch["label"].cpu())
    return torch.cat(classes), torch.cat(labels)


def assigned(codes: Tensor, labels: Tensor) -> Tensor:
    """The label of each code: the one-to-one assignment under which most samples are named right."""
    from scipy.optimize import linear_sum_assignment

    count = int(max(codes.max(), labels.max())) + 1
    table = torch.bincount(codes * count + labels, minlength=count * count).view(count, count)
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    mapping = torch.zeros(count, dtype=torch.int64)
    mapping[torch.from_numpy(rows)] = torch.from_numpy(columns)
    return mapping
