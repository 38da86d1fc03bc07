"""What linear classifiers learn: from generated samples, and from features."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gantrain.data import Source
from gantrain.metrics.evaluation import AT_ONCE, Evaluation, Part, RealData
from gantrain.metrics.feature_metric import FeatureMetric
from gantrain.metrics.features import FeatureSpace, encoded, real_features
from gantrain.metrics.paired import all_finite
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import within

Labelled = tuple[Tensor, Tensor]
"""Points (n, d) and their labels (n,)."""


def probe_accuracy(training: Sequence[Labelled], judged: Labelled) -> float:
    """The share of points that a logistic regression names right, which learnt from others.

    The penalty is scikit-learn's own, on points around 0 whose dimensions have a mean square of 1 together.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    points, labels = (torch.cat(parts) for parts in zip(*training, strict=True))
    if len(labels.unique()) == 1:  # nothing to tell apart: all are named so
        return (judged[1] == labels[0]).double().mean().item()
    middle = points.mean(0)
    scale = (points - middle).square().mean().sqrt().clamp(min=1e-30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # two hundred turns are enough for an accuracy
        model = LogisticRegression(max_iter=200).fit(((points - middle) / scale).numpy(), labels.numpy())
    return float(model.score(((judged[0] - middle) / scale).numpy(), judged[1].numpy()))


class Probe(FeatureMetric):
    """Accuracies of logistic regressions on held-out real samples.

    NaN where a feature is not finite.

    Args:
        samples: how many of each kind are learnt from, and how many held-out ones judge at most.
    """

    def __init__(self, space: FeatureSpace, samples: int = 5000) -> None:
        within("[2, 1000000]", samples=samples)
        super().__init__(space, samples)
        self.count = samples

    def check(self, source: Source) -> None:
        super().check(source)
        if not source.classes or source.held_out_part() is None:
            raise ValueError(
                f"metric {self.keys[0]} needs a dataset with labels and a held-out part: mnist, fashion_mnist, "
                "cifar10, or digits with dataset.held_out=360"
            )

    def prepare(self, real: RealData) -> None:
        super().prepare(real)
        real.open("held_out")

    def protocol(self, evaluation: Evaluation) -> Protocol:
        real = evaluation.real
        counts = {f"{part} samples": _count(real, part, self.count) for part in ("train", "held_out")}
        return replace(super().protocol(evaluation), real=counts["train samples"], settings=counts)

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        parts = {"real": self._real(evaluation, "train"), "judged": self._real(evaluation, "held_out")}
        parts |= self.generated_parts(evaluation)
        if not all_finite(*(points for points, _ in parts.values())):
            return dict.fromkeys(self.keys, math.nan)
        judged = parts.pop("judged")
        return dict(zip(self.keys, self.accuracies(parts, judged), strict=True))

    def generated_parts(self, evaluation: Evaluation) -> dict[str, Labelled]:
        """What is learnt from besides real samples."""
        return {}

    def accuracies(self, parts: dict[str, Labelled], judged: Labelled) -> tuple[float, ...]:
        """The figures, in the order of `figures`."""
        raise NotImplementedError

    def _real(self, evaluation: Evaluation, part: Part) -> Labelled:
        count = _count(evaluation.real, part, self.count)
        points = real_features(evaluation, self.space, part, count).values
        return points, evaluation.real.once(_labels, part, count)


class Downstream(Probe):
    """Are the samples good for something: what does a classifier learn from them (Ravuri & Vinyals 2019)?

    Accuracies on held-out real samples of logistic regressions that learnt from n labelled generated samples
    (`downstream_generated`), from as many real ones (`downstream_real`), and from both (`downstream_both`). The first
    comes near the second where samples are as good as data; the third is above the second where they add to it. Needs
    a game that gives its samples labels.
    """

    figures = ("downstream_generated", "downstream_real", "downstream_both")
    better_if_higher = frozenset({"downstream_generated", "downstream_both"})
    best_between = frozenset({"downstream_real"})
    needs_labels = True

    def generated_parts(self, evaluation: Evaluation) -> dict[str, Labelled]:
        return {"generated": evaluation.once(_labelled_features, self.space, self.n)}

    def accuracies(self, parts: dict[str, Labelled], judged: Labelled) -> tuple[float, ...]:
        generated, real = parts["generated"], parts["real"]
        return tuple(probe_accuracy(learnt, judged) for learnt in ([generated], [real], [generated, real]))


class LinearProbe(Probe):
    """What do features know: a logistic regression from features of real samples to labels (Radford et al. 2016, 5.1).

    In the space `discriminator` it tells what D has learnt without labels. Its accuracy on held-out samples.
    """

    figures = ("linear_probe",)
    better_if_higher = frozenset(figures)

    def __init__(self, space: FeatureSpace, samples: int = 5000) -> None:
        super().__init__(space, samples)
        self.n = 0  # of generated samples, of which it asks for none

    def protocol(self, evaluation: Evaluation) -> Protocol:
        return replace(super().protocol(evaluation), samples=None)

    def accuracies(self, parts: dict[str, Labelled], judged: Labelled) -> tuple[float, ...]:
        return (probe_accuracy([parts["real"]], judged),)


def _count(real: RealData, part: Part, n: int) -> int:
    size = real.open(part).size
    return n if size is None else min(n, size)


def _labels(real: RealData, part: Part, n: int) -> Tensor:
    return torch.cat([batch["label"].cpu() for batch in real.batches(part, n)])


def _labelled_features(evaluation: Evaluation, space: FeatureSpace, n: int) -> Labelled:
    assert evaluation.labelled is not None, "a metric that needs labels is refused where there are none"
    points, labels = [], []
    for x, label in evaluation.labelled(-(-n // AT_ONCE) * AT_ONCE):
        points.append(space.features(encoded(x), evaluation.real, evaluation).values)
        labels.append(label)
    return torch.cat(points)[:n], torch.cat(labels)[:n]
