"""The space of a small classifier of the data set's own labels."""

from __future__ import annotations

from torch import Tensor

from gantrain.data import Source
from gantrain.metrics.classifier import LARGEST, SIZE, Classifier, check_labelled, classifier_of
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.features import Features, FeatureSpace


class ClassifierFeatures(FeatureSpace):
    """What the last layer of a small classifier sees: trained once on the labels of the data set, kept in the cache.

    For grey and small pictures, to which networks that were trained on photographs are strangers. Its accuracy on
    samples that it has not learnt from stands in every protocol.
    """

    name = "classifier"
    size = SIZE
    resize = f"shrunk to {LARGEST} pixels a side where larger, scaled to [-1, 1]"
    has_logits = True

    def __init__(self) -> None:
        self._identity: str | None = None

    def identity(self) -> str:
        return self._identity or self.name

    def check(self, source: Source) -> None:
        check_labelled(source)

    def prepare(self, real: RealData) -> None:
        self._identity = str(real.once(_classifier))

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        return Features(*real.once(_classifier)(x))


def _classifier(real: RealData) -> Classifier:
    return classifier_of(real)
