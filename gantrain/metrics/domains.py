"""Figures of games of two domains: do samples that belong together show the same, and does the way back lead home?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace

import torch
from torch import Tensor

from gantrain.data import Source, TwoDomains
from gantrain.metrics.base import Metric
from gantrain.metrics.classifier import Classifier, classifier_of
from gantrain.metrics.evaluation import AT_ONCE, Evaluation, RealData
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import SAMPLES, within


class DomainsMetric(Metric):
    """A metric of samples in two domains: of held-out pictures, where the data has them and the game starts from some.

    Args:
        samples: how many are judged; no more than there are such pictures.
    """

    needs_domains = True

    def __init__(self, samples: int = 1000) -> None:
        within(SAMPLES, samples=samples)
        self.n = samples

    def check(self, source: Source) -> None:
        if not isinstance(source, TwoDomains):
            raise ValueError(
                f"metric {self.keys[0]} needs a dataset of two domains, such as digits_domains: leave it out"
            )

    def prepare(self, real: RealData) -> None:
        real.open(real.unseen)

    def protocol(self, evaluation: Evaluation) -> Protocol:
        if not evaluation.from_data:
            return self.protocol_of(evaluation, samples=self.n)
        real = evaluation.real
        n = min(self.n, _pictures(real))
        return self.protocol_of(evaluation, samples=n, real=n, split=real.unseen)

    def sets(self, evaluation: Evaluation) -> Iterator[Mapping[str, Tensor]]:
        """What was given and made, in parts, n in all."""
        assert evaluation.sets is not None, "every run's evaluation has them"
        left = self.n
        for part in evaluation.sets(-(-self.n // AT_ONCE) * AT_ONCE):
            if "real" in part:
                left = min(left, _pictures(evaluation.real))
            yield {name: values[:left] for name, values in part.items()}
            left -= len(part["samples"])
            if left <= 0:
                return


def _pictures(real: RealData) -> int:
    """How many pictures there are in the larger domain, of the part from which samples are made."""
    return real.count(real.unseen)


class CycleError(DomainsMetric):
    """The mean absolute difference in [-1, 1] of pictures and what comes back from the other domain.

    `cycle_error` from A to B and back, `cycle_error_back` from B to A and back.
    """

    keys = ("cycle_error", "cycle_error_back")
    needs_cycles = True
    ways = (("other", "cycled"), ("real", "cycled_b"))

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        found: list[list[Tensor]] = [[] for _ in self.ways]
        for part in self.sets(evaluation):
            for errors, (start, end) in zip(found, self.ways, strict=True):
                errors.append((part[end].float() - part[start].float()).abs().flatten(1).mean(1))
        return {key: torch.cat(errors).mean().item() for key, errors in zip(self.keys, found, strict=True)}


class SameClass(DomainsMetric):
    """The share of pairs whose two samples show the same class, named by a classifier of each domain's real samples.

    `same_class` of samples of domain B and what belongs to them in A: the picture that was translated, whose label is
    known, or the one made with it, which A's own classifier names. `same_class_back` from B to A, where a game goes
    there. Each classifier is trained on the labels of its domain, and no game ever sees one.
    """

    keys = ("same_class", "same_class_back")
    higher_is_better = frozenset(keys)

    def check(self, source: Source) -> None:
        super().check(source)
        if (source.classes or 0) < 2:
            raise ValueError(f"metric {self.keys[0]} needs domains with labels, such as digits_domains: leave it out")

    def prepare(self, real: RealData) -> None:
        super().prepare(real)
        real.once(_classifiers)

    def protocol(self, evaluation: Evaluation) -> Protocol:
        a, b = evaluation.real.once(_classifiers)
        return replace(super().protocol(evaluation), space=f"A: {a}; B: {b}")

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        a, b = evaluation.real.once(_classifiers)
        there: list[Tensor] = []
        back: list[Tensor] = []
        for part in self.sets(evaluation):
            shown = part["other_label"] if "other_label" in part else _named(a, part["other"])
            there.append(_named(b, part["samples"]) == shown)
            if "samples_a" in part:
                back.append(_named(a, part["samples_a"]) == part["label"])
        shares = [torch.cat(same).double().mean().item() for same in (there, back) if same]
        return dict(zip(self.keys, shares, strict=False))


def _named(classifier: Classifier, x: Tensor) -> Tensor:
    """The classes (n,) of pictures."""
    _, logits = classifier(x)
    return logits.argmax(1)


def _classifiers(real: RealData) -> tuple[Classifier, Classifier]:
    """Of domain A and of domain B."""
    assert isinstance(real.source, TwoDomains), "check refuses others"
    found = []
    for domain in (real.source.a, real.source.b):
        with closing(RealData(domain, real.context)) as one:
            found.append(classifier_of(one))
    return found[0], found[1]
