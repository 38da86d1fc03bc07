"""The space of the run's own discriminator."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.features import AT_ONCE, Features, FeatureSpace


class DiscriminatorFeatures(FeatureSpace):
    """What the last layer of the run's discriminator sees; of patches, the mean over all.

    It tells of the health of the run and is no result: every step has a space of its own, which the discriminator made
    so that generated samples lie apart.
    """

    name = "discriminator"
    resize = "not resized, scaled to [-1, 1]"
    of_the_run = True

    def features(self, x: Tensor, real: RealData, evaluation: Evaluation | None) -> Features:
        score = evaluation.features if evaluation is not None else None
        assert score is not None, "a metric in it is refused else"
        found = [score(part / 127.5 - 1 if x.dtype == torch.uint8 else part) for part in x.split(AT_ONCE)]
        values = torch.cat(found)
        return Features(values.flatten(2).mean(2) if values.dim() > 2 else values)
