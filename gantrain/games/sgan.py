"""Semi-supervised GAN: the discriminator is a classifier with one class more (Salimans et al. 2016, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.games.conditional import needs_labels
from gantrain.games.labelled import FewLabels
from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.layers import spectrally_normalise
from gantrain.networks.network import WrappedDiscriminator
from gantrain.ranges import COUNT, NOT_NEGATIVE, within
from gantrain.tricks import Trick, TurnContext
from gantrain.turns import Batch, DrawBatch, Samples


class ClassLogits(WrappedDiscriminator):
    """K class logits l; the class "generated" has the logit 0, so that the logit of real is log Σ exp l_k."""

    def __init__(self, network: Callable[[], Discriminator], classes: int) -> None:
        inner = network()
        super().__init__(inner)
        self.head = nn.Linear(inner.feature_count, classes)
        if inner.spectrally_normalised:
            spectrally_normalise(self)

    def logits(self, features: Tensor) -> Tensor:
        return self.head(features).logsumexp(1)


class SemiSupervised(FewLabels, Standard):
    """D names the class of the few labelled samples, and tells the unlabelled from fakes; so it learns from both.

    Its loss is the value function on the logit of real, and `supervised`, the cross-entropy of labelled samples. The
    paper's generator matches features: the trick feature_matching.

    Args:
        classes: how many the dataset has.
        labels_per_class: how many samples of each keep their labels.
        weight, unsupervised_weight: of `supervised` and of the value function; 1 and ½ in the reference code.

    Raises:
        ValueError: the dataset has no labels, or settings out of range.
    """

    only_adversarial = False
    labelled = True
    classifies = True

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        classes: int | None,
        labels_per_class: int = 10,
        weight: float = 1.0,
        unsupervised_weight: float = 1.0,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        within(COUNT, labels_per_class=labels_per_class)
        within(NOT_NEGATIVE, weight=weight, unsupervised_weight=unsupervised_weight)
        self.classes, self.labels_per_class = needs_labels(classes), labels_per_class
        self.weight, self.unsupervised_weight = weight, unsupervised_weight
        super().__init__(generator, discriminator, noise, loss, tricks)

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        super().build_players(generator, partial(ClassLogits, discriminator, self.classes))

    def begin(self, draw: DrawBatch, size: int | None) -> None:
        self.keep_labelled(draw, size)

    def discriminator_turn(self, discriminator: str, fakes: Samples, batch: Batch) -> TurnContext:
        context = super().discriminator_turn(discriminator, fakes, batch)
        labelled = self.some_labelled(len(fakes))
        scores = self.score(discriminator, self.discriminator_inputs(labelled, batch), batch)
        named = self.class_logits(scores.features)
        supervised = F.cross_entropy(named, labelled.conditions["label"])
        unsupervised = self.unsupervised_weight * context.terms["adversarial"]
        terms = {**context.terms, "adversarial": unsupervised, "supervised": self.weight * supervised}
        return replace(context, terms=terms)

    def class_logits(self, features: Tensor) -> Tensor:
        """Class logits (N, K)."""
        return self.get_submodule("discriminator.head")(features).float()

    def classify(self, x: Tensor) -> Tensor:
        network = self.network("discriminator")
        assert isinstance(network, Discriminator)
        return network.head(network.features(x)).float()
