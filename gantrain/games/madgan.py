"""Several generators, whom the discriminator tells apart (Ghosh et al. 2018, MAD-GAN)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.games.base import Batch, Request
from gantrain.games.standard import Standard
from gantrain.losses import Objective, TargetLoss
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.conditional import ManyHeaded
from gantrain.ranges import COUNT, NOT_NEGATIVE, within
from gantrain.tricks.base import Context, Plan, Seen, Shown, Trick


class Siblings(Generator):
    """k generators that share all but their last `own` layers with weights.

    Noise (N, nz) to samples (N, *shape); the batch falls into k parts in order, one for each.
    """

    def __init__(self, network: Callable[..., Generator], noise_dim: int, count: int, own: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(network(noise_dim=noise_dim) for _ in range(count))
        first = self.each[0]
        layers = [name for name, m in first.named_modules() if list(m.parameters(recurse=False))]
        for other in list(self.each)[1:]:
            for name in layers[: max(len(layers) - own, 0)]:
                other.set_submodule(name, first.get_submodule(name))

    def forward(self, noise: Tensor) -> Tensor:
        parts = noise.tensor_split(len(self.each))
        return torch.cat([sibling(part) for sibling, part in zip(self.each, parts, strict=True) if len(part)])


class MADGAN(Standard):
    """k generators against a discriminator of k + 1 outcomes: real, or made by generator i.

    The discriminator minimises the cross-entropy of the right outcome, the generators -log P(real) (section 3.1). A
    (k + 1)-fold softmax is a verdict real or fake times a softmax over the k generators; so the first is any value
    function, whose logit is the log-odds of real, and the second the discriminator's term `identification`.

    The paper shows D as many samples of each generator as real ones. Here the k share one batch, and so their samples
    count k times as much as real ones in both parts: where all densities are equal, D(x) is 1/(k + 1) (theorem 1). That
    holds for value functions that compare each logit with a target. Those of differences judge pairs of a real and a
    fake sample, and hinge knows no probability: there either kind counts the same.

    Args:
        generators: k.
        own: layers with weights that each generator has for itself; the others are shared.
        weight: of `identification`; 1 in the paper.

    Raises:
        ValueError: fewer than two generators.
    """

    labelled = True

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        generators: int = 4,
        own: int = 1,
        weight: float = 1.0,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        within("[2, 256]", generators=generators)
        within(COUNT, own=own)
        within(NOT_NEGATIVE, weight=weight)
        self.count, self.own, self.weight = generators, own, weight
        self.fake_weight = generators if isinstance(loss.adversarial, TargetLoss) else 1
        super().__init__(generator, discriminator, noise, loss, tricks)

    def seat(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        heads = {"generator": lambda features: nn.Linear(features, self.count)}
        siblings = partial(Siblings, generator, count=self.count, own=self.own)
        super().seat(siblings, partial(ManyHeaded, discriminator, heads))

    def check(self, plan: Plan) -> None:
        super().check(plan)
        if plan.samples < self.count:
            raise ValueError(f"each of {self.count} generators needs a sample: set a larger trainer.batch_size")

    def generate(self, latent: Mapping[str, Tensor], finished: bool = False) -> Shown:
        shown = super().generate(latent, finished)
        which = torch.arange(len(shown.samples), device=self.device)
        parts = which.tensor_split(self.count)
        makers = torch.cat([torch.full_like(part, k) for k, part in enumerate(parts)])
        return Shown(shown.samples, {"generator": makers})

    def value(self, seen: Seen) -> Tensor:
        adversarial = self.loss.adversarial
        if not isinstance(adversarial, TargetLoss):
            return super().value(seen)
        assert seen.real is not None
        of_real, of_fake = adversarial.parts(seen.real, seen.fake, seen.real_target, seen.fake_target)
        return of_real + self.fake_weight * of_fake

    def contest(self, discriminator: str, made: Shown, batch: Batch) -> Context:
        context = super().contest(discriminator, made, batch)
        features = context.duels[discriminator].fake.features
        named = self.get_submodule(f"{discriminator}.heads.generator")(features).float()
        term = self.fake_weight * self.weight * F.cross_entropy(named, made.given["generator"])
        return replace(context, terms={**context.terms, "identification": term})

    def gallery(self, n: int) -> Request:
        """One row for each generator."""
        request = super().gallery(n)
        return replace(request, columns=n // self.count) if n % self.count == 0 else request
