"""Figures of classifiers."""

from __future__ import annotations

import torch

from gantrain.data import Source
from gantrain.metrics.base import Evaluation, Metric


class TestError(Metric):
    """The share of held-out samples that the game's classifier names wrong.

    With `assign` class k of the classifier is first given the label that most of its samples have (the best
    one-to-one assignment), for codes that no label taught; the figure is then called `code_error`.

    Args:
        assign: for unsupervised codes.
    """

    keys = ("test_error", "code_error")
    needs_classifier = True

    def __init__(self, assign: bool = False) -> None:
        self.assign = assign
        self.name = "code_error" if assign else "test_error"

    def check(self, source: Source) -> None:
        if not source.classes or source.held_out_part() is None:
            raise ValueError(
                "metric test_error needs a dataset with labels and a held-out part: mnist, fashion_mnist, cifar10, or "
                "digits with dataset.held_out=360"
            )

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        assert evaluation.classify is not None
        assert evaluation.place is not None
        part = evaluation.source.held_out_part()
        assert part is not None
        batches = part.open(evaluation.place)
        assert batches.size is not None
        held = batches.draw(0, batches.size)
        named = evaluation.classify(held["real"].cpu()).argmax(1)
        labels = held["label"].cpu()
        if self.assign:
            named = assigned(named, labels)[named]
        return {self.name: (named != labels).double().mean().item()}


def assigned(named: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The label of each code: the one-to-one assignment under which most samples are named right."""
    from scipy.optimize import linear_sum_assignment

    count = int(max(named.max(), labels.max())) + 1
    table = torch.bincount(named * count + labels, minlength=count * count).view(count, count)
    codes, found = linear_sum_assignment(table.numpy(), maximize=True)
    mapping = torch.zeros(count, dtype=torch.int64)
    mapping[torch.from_numpy(codes)] = torch.from_numpy(found)
    return mapping
