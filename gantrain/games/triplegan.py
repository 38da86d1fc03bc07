"""Generator, discriminator and classifier (Li et al. 2017, Triple-GAN)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain import shares
from gantrain.games.conditional import Conditional
from gantrain.games.labelled import FewLabels
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.conditional import Conditioning
from gantrain.networks.heads import Classifier
from gantrain.ranges import COUNT, NOT_NEGATIVE, within
from gantrain.tricks import RunPlan, Trick, TurnContext
from gantrain.turns import Batch, DrawBatch, Samples, Turn


class TripleGAN(FewLabels, Conditional):
    """D judges pairs of sample and label. Labelled samples are real; fake are those of G with the label asked for, and,
    as a share `alpha` of the fakes, unlabelled samples with the label that the classifier C gives them (equation 2).

    C minimises the cross-entropy of labelled samples (`supervised`), α times what its own labels of unlabelled samples
    cost (`adversarial`), and the cross-entropy of G's samples with the labels that G was asked for (`pseudo`, equation
    4), once G makes good ones. A label costs p_c·log(1 - D(x, y_c)) in the paper's game (equation 2) and
    -p_c·log D(x, y_c) in the reference code, y_c the most likely label and p_c its probability. They pull apart: the
    first rewards every such label, most where D believes it; the second fines every one, most where D does not. D(x, y)
    is the sigmoid of the logit, whatever the value function. What section 3.3 and the reference code add for
    very few labels: unlabelled samples with C's labels among D's real pairs, so that D does not learn the few by heart;
    and the entropy of C's predictions (`confidence`) and the cross-entropy of their mean with equal shares (`balance`)
    on unlabelled samples.

    Args:
        labels_per_class: how many samples of each class keep their labels.
        classifier: makes a network whose trunk C takes; a discriminator by default.
        alpha: ½ in the paper.
        classifier_loss: `minimax` as in the paper, or `nonsaturating` as in the reference code.
        pseudo_weight, pseudo_start: of `pseudo`, and the step from which on it counts.
        pseudo_real: share of D's real pairs whose labels are C's; no sample's pair is both real and fake in one turn.
        confidence, balance: weights of the two terms.

    Raises:
        ValueError: as `Conditional`; settings out of range.
    """

    classifiers = ("classifier",)
    only_adversarial = False
    classifies = True

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        classes: int | None,
        shape: list[int],
        classifier: Callable[..., Discriminator] | None = None,
        labels_per_class: int = 10,
        conditioning: Conditioning = "concat",
        alpha: float = 0.5,
        classifier_loss: Literal["minimax", "nonsaturating"] = "minimax",
        pseudo_weight: float = 0.1,
        pseudo_start: int = 1000,
        pseudo_real: float = 0.0,
        confidence: float = 0.0,
        balance: float = 0.0,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        within(COUNT, labels_per_class=labels_per_class)
        within("[0, 1)", alpha=alpha, pseudo_real=pseudo_real)
        if alpha + pseudo_real > 1:
            raise ValueError(
                f"alpha + pseudo_real is {alpha + pseudo_real:g}, and so D would see some pairs of sample and label as "
                "real and as fake in one turn: set model.alpha and model.pseudo_real to no more than 1 together"
            )
        within(NOT_NEGATIVE, pseudo_weight=pseudo_weight, pseudo_start=pseudo_start)
        within(NOT_NEGATIVE, confidence=confidence, balance=balance)
        self.labels_per_class, self.alpha, self.make_classifier = labels_per_class, alpha, classifier or discriminator
        self.pseudo_weight, self.pseudo_start, self.pseudo_real = pseudo_weight, pseudo_start, pseudo_real
        self.classifier_loss, self.confidence, self.balance = classifier_loss, confidence, balance
        super().__init__(generator, discriminator, noise, loss, classes, shape, conditioning, tricks=tricks)

    def check(self, plan: RunPlan) -> None:
        super().check(plan)
        for name in ("alpha", "pseudo_real") if plan.devices > 1 else ():
            count = round(getattr(self, name) * plan.samples, 6)
            if count % plan.devices:
                raise ValueError(
                    f"model.{name}={getattr(self, name):g} of {plan.samples} samples are {count:g}, which "
                    f"{plan.devices} processes cannot share equally: set another trainer.batch_size or model.{name}"
                )
        if self.balance:
            plan.needs_whole_batch("model.balance looks at the mean of the whole batch", ", or model.balance=0")

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        super().build_players(generator, discriminator)
        self.classifier = Classifier(self.make_classifier, self.classes)

    def install(self, tricks: Mapping[str, Trick]) -> None:
        super().install(tricks)
        self.turns = (*self.turns, Turn("classifier"))

    def begin(self, draw: DrawBatch, size: int | None) -> None:
        self.keep_labelled(draw, size)

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        real = batch.data["real"]
        # from the end: the first are among the fakes
        count = shares.part_of(int(self.pseudo_real * shares.whole(len(real))))
        return self.to_each(
            self.some_labelled(len(real)).replace_first(self.pseudo_labelled(real[len(real) - count :]))
        )

    def pseudo_labelled(self, unlabelled: Tensor) -> Samples:
        """With the classifier's most likely labels."""
        if not len(unlabelled):
            return Samples(unlabelled)
        with torch.no_grad():
            return Samples(unlabelled, {"label": self.classifier(unlabelled).argmax(1)})

    def discriminator_turn(self, discriminator: str, fakes: Samples, batch: Batch) -> TurnContext:
        unlabelled = batch.data["real"][: shares.part_of(round(self.alpha * shares.whole(len(fakes))))]
        return super().discriminator_turn(discriminator, fakes.replace_first(self.pseudo_labelled(unlabelled)), batch)

    def terms(self, player: str, batch: Batch) -> dict[str, Tensor]:
        if player != "classifier":
            return super().terms(player, batch)
        labelled = self.some_labelled(len(batch.data["real"]))
        supervised = self.classifier(labelled.x).float()
        log_chances = self.classifier(batch.data["real"]).float().log_softmax(1)
        chances = log_chances.exp()
        best = chances.max(1)
        with torch.no_grad():
            pairs = Samples(batch.data["real"], {"label": best.indices})
            logits = self.score("discriminator", self.discriminator_inputs(pairs, batch), batch).logits.float()
            cost = F.logsigmoid(-logits) if self.classifier_loss == "minimax" else -F.logsigmoid(logits)
            fakes = self.generate(batch)
            (made,) = fakes.values()
        terms = {
            "supervised": F.cross_entropy(supervised, labelled.conditions["label"]),
            "adversarial": self.alpha * (best.values * cost).mean(),
        }
        if self.pseudo_weight:
            counts = (batch.step >= self.pseudo_start).float()
            named = F.cross_entropy(self.classifier(made.x).float(), made.conditions["label"])
            terms["pseudo"] = self.pseudo_weight * counts * named
        if self.confidence:
            terms["confidence"] = -self.confidence * (chances * log_chances).sum(1).mean()
        if self.balance:
            log_chances = shares.gathered(log_chances)
            mean = log_chances.logsumexp(0) - math.log(len(log_chances))
            terms["balance"] = -self.balance * mean.mean()
        return self.trick_terms(player, TurnContext(self, batch, fakes, {}, terms))

    def classify(self, x: Tensor) -> Tensor:
        return self.network("classifier")(x)
