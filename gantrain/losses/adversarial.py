"""Value functions. All take logits of any shape, compute in float32 and return the mean, a scalar."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from gantrain import shares
from gantrain.ranges import FINITE, POSITIVE, SHARE, within


class AdversarialLoss:
    """What discriminator and generator minimise.

    `needs_real`: the generator's loss looks at real logits too. `probability`: the sigmoid of a logit is a
    probability. `threshold`: the logit from which on a sample counts as real, None where only differences mean
    anything. `whole_batch`: the loss is no mean over samples or pairs, so that parts of a batch do not add up to it.
    """

    needs_real: ClassVar[bool] = False
    probability: ClassVar[bool] = False
    whole_batch: ClassVar[bool] = False
    threshold: float | None = None

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss, a scalar, for logits of real and fake samples."""
        raise NotImplementedError

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The generator's loss, a scalar."""
        raise NotImplementedError

    def encoder(self, real: Tensor) -> Tensor:
        """The loss, a scalar, of a player who wants real samples taken for fakes: the generator's, mirrored."""
        return self.generator(-real)

    def value(self, real: Tensor, fake: Tensor) -> Tensor:
        """The value V of the game, a scalar: what the discriminator maximises and the generator should bring down.

        It is the discriminator's loss with the sign turned, also where the generator's own loss is no mirror of it: the
        nonsaturating one only takes another way to the same end.
        """
        return -self.discriminator(real, fake)

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """The share of samples, or of pairs where there is no threshold, that the discriminator gets right."""
        if self.threshold is None:
            return (real > fake).float().mean()
        return ((real > self.threshold).float().mean() + (fake <= self.threshold).float().mean()) / 2


class TargetLoss(AdversarialLoss):
    """A loss that compares each logit with a target, so that targets can be smoothed or flipped.

    Targets may be numbers or tensors like the logits; None is the loss's own.
    """

    real_label: float
    fake_label: float

    def against(self, logits: Tensor, target: float | Tensor) -> Tensor:
        """The loss of each logit against its target."""
        raise NotImplementedError

    def parts(
        self,
        real: Tensor,
        fake: Tensor,
        real_target: float | Tensor | None = None,
        fake_target: float | Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The two scalars whose sum the discriminator minimises: what real samples cost it, and what fakes do."""
        real_target = self.real_label if real_target is None else real_target
        fake_target = self.fake_label if fake_target is None else fake_target
        return self.against(real.float(), real_target).mean(), self.against(fake.float(), fake_target).mean()

    def discriminator(
        self,
        real: Tensor,
        fake: Tensor,
        real_target: float | Tensor | None = None,
        fake_target: float | Tensor | None = None,
    ) -> Tensor:
        of_real, of_fake = self.parts(real, fake, real_target, fake_target)
        return of_real + of_fake


class NonSaturating(TargetLoss):
    """D: softplus(-D(x)) + softplus(D(G(z))); G: softplus(-D(G(z))) (Goodfellow et al. 2014, section 3)."""

    probability = True
    threshold = 0.0

    def __init__(self, real_label: float = 1.0, fake_label: float = 0.0) -> None:
        within(SHARE, real_label=real_label, fake_label=fake_label)
        self.real_label, self.fake_label = real_label, fake_label

    def against(self, logits: Tensor, target: float | Tensor) -> Tensor:
        """Binary cross-entropy, written so that no logit overflows."""
        return F.softplus(logits) - target * logits

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return F.softplus(-fake.float()).mean()


class Minimax(NonSaturating):
    """The same discriminator; G: -softplus(D(G(z))), the game of Goodfellow et al. 2014, equation 1."""

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -F.softplus(fake.float()).mean()


class LeastSquares(TargetLoss):
    """D: ½(D(x)-b)² + ½(D(G(z))-a)²; G: ½(D(G(z))-c)² (Mao et al. 2017, equation 2).

    Args:
        weight: in the place of ½; 1 in Zhu et al. 2017, where G minimises other terms beside.
    """

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0, weight: float = 0.5) -> None:
        within(FINITE, a=a, b=b, c=c)
        within(POSITIVE, weight=weight)
        self.weight = weight
        self.fake_label, self.real_label, self.c = a, b, c
        self.threshold = (a + b) / 2

    def against(self, logits: Tensor, target: float | Tensor) -> Tensor:
        return self.weight * (logits - target) ** 2

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return self.against(fake.float(), self.c).mean()

    def encoder(self, real: Tensor) -> Tensor:
        """½(D(x)-a)², or with its weight: the fakes' own target stands for c where c is the real one's."""
        return self.against(real.float(), self.real_label + self.fake_label - self.c).mean()


class Wasserstein(AdversarialLoss):
    """D: D(G(z)) - D(x); G: -D(G(z)) (Arjovsky et al. 2017)."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.float().mean() - real.float().mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.float().mean()


class Hinge(AdversarialLoss):
    """D: relu(1-D(x)) + relu(1+D(G(z))); G: -D(G(z)) (Lim & Ye 2017; Miyato et al. 2018)."""

    threshold = 0.0

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.float().mean()


class RelativisticPaired(AdversarialLoss):
    """D: softplus(D(G(z)) - D(x)); G: softplus(D(x) - D(G(z))) (Jolicoeur-Martineau 2018; Huang et al. 2024)."""

    needs_real = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.softplus(fake.float() - real.float()).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        if real is None:
            raise ValueError("a relativistic generator loss needs the real logits")
        return F.softplus(real.float() - fake.float()).mean()


class RelativisticAverage(AdversarialLoss):
    """D: softplus(-(D(x) - E D(G(z)))) + softplus(D(G(z)) - E D(x)); G: the same with real and fake in exchanged parts.

    Jolicoeur-Martineau 2018, equations 5 and 6, with means over the batch for the expectations.
    """

    needs_real = True
    whole_batch = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        real, fake = real.float(), fake.float()
        of_real, of_fake = (shares.gathered(logits).mean(0) for logits in (real, fake))
        return F.softplus(of_fake - real).mean() + F.softplus(fake - of_real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        if real is None:
            raise ValueError("a relativistic generator loss needs the real logits")
        return self.discriminator(fake, real)

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """The share of samples on the right side of the other kind's mean."""
        return ((real > fake.mean(0)).float().mean() + (fake < real.mean(0)).float().mean()) / 2
