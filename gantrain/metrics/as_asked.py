"""Whether pictures of captions show what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gantrain.data import Source, to_pixels
from gantrain.data.digits_captions import FACTS, DigitsCaptions, digit_boxes, size_place_colour
from gantrain.metrics.base import Metric
from gantrain.metrics.evaluation import Evaluation, Part, RealData
from gantrain.metrics.protocol import Protocol
from gantrain.ranges import SAMPLES, within

LEARNT = 8000
"""Real pictures from which the classifier learns, at most."""


class AsAsked(Metric):
    """Shares of generated pictures whose digit, size, place and colour are those that their captions say.

    Captions are those of the held-out part, whose combinations training never sees. A support vector machine that
    learnt from real pictures of the training part names the digit, by what is in the box around it; size, place and
    colour are measured in the picture. The figures are `digit_as_asked` … `colour_as_asked`, and `as_asked`: all at
    once.

    Args:
        samples: how many pictures are judged.
    """

    keys = (*(f"{fact}_as_asked" for fact in FACTS), "as_asked")
    higher_is_better = frozenset(keys)
    needs_captions = True
    streams = True

    def __init__(self, samples: int = 2000) -> None:
        within(SAMPLES, samples=samples)
        self.n = samples

    def check(self, source: Source) -> None:
        if not isinstance(source, DigitsCaptions):
            raise ValueError("metric as_asked measures what it knows of dataset=digits_captions alone: leave it out")

    def prepare(self, real: RealData) -> None:
        real.open("held_out")

    def protocol(self, evaluation: Evaluation) -> Protocol:
        _, accuracy = evaluation.real.once(_classifier)
        named = f"a support vector machine that names {accuracy:.1%} of held-out real pictures right"
        return replace(super().protocol(evaluation), split="held_out", settings={"digits by": named})

    def __call__(self, evaluation: Evaluation) -> dict[str, float]:
        assert evaluation.sets is not None, "every run's evaluation has them"
        classifier, _ = evaluation.real.once(_classifier)
        right = []
        for part in evaluation.sets(self.n):
            pixels = to_pixels(part["samples"]).numpy()
            found = np.column_stack([classifier.predict(_boxes(pixels)), size_place_colour(pixels)])
            right.append(torch.from_numpy(found) == part["said"])
        shares = torch.cat(right)[: self.n].double()
        return dict(zip(self.keys, [*shares.mean(0).tolist(), shares.all(1).double().mean().item()], strict=True))


def _classifier(real: RealData) -> tuple[Any, float]:
    """What names digits, and the share of held-out real pictures that it names right."""
    from sklearn.svm import SVC

    classifier = SVC(C=10).fit(*_pictures(real, "train"))
    boxes, labels = _pictures(real, "held_out")
    return classifier, float((classifier.predict(boxes) == labels).mean())


def _pictures(real: RealData, part: Part) -> tuple[np.ndarray, np.ndarray]:
    batches = list(real.batches(part, min(real.count(part), LEARNT)))
    boxes = [_boxes(to_pixels(batch["real"]).cpu().numpy()) for batch in batches]
    return np.concatenate(boxes), torch.cat([batch["label"] for batch in batches]).cpu().numpy()


def _boxes(pixels: np.ndarray) -> np.ndarray:
    return digit_boxes(pixels).reshape(len(pixels), -1)
