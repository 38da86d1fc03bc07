"""Several generators, whom the discriminator tells apart (Ghosh et al. 2018, MAD-GAN)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.games.base import Request
from gantrain.games.standard import Standard
from gantrain.losses import Objective, TargetLoss
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.heads import MultiHeadDiscriminator
from gantrain.ranges import COUNT, NOT_NEGATIVE, within
from gantrain.tricks import RunPlan, Trick, TurnContext
from gantrain.turns import Batch, LossInputs, Samples


class SharedGenerators(Generator):
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

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        assert condition is None, "no game gives them labels"
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

    only_adversarial = False
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

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        heads = {"generator": lambda features: nn.Linear(features, self.count)}
        siblings = partial(SharedGenerators, generator, count=self.count, own=self.own)
        super().build_players(siblings, partial(MultiHeadDiscriminator, discriminator, heads))

    def check(self, plan: RunPlan) -> None:
        super().check(plan)
        if plan.samples < self.count:
            raise ValueError(f"each of {self.count} generators needs a sample: set a larger trainer.batch_size")
        if plan.devices > 1 and plan.samples % (self.count * plan.devices):
            raise ValueError(
                f"{plan.devices} processes cannot make {plan.samples} samples by {self.count} generators in equal "
                f"shares: make trainer.batch_size / trainer.accumulate a multiple of {self.count * plan.devices}"
            )

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        made = self.network("generator", averaged)(batch.latent["noise"])
        parts = torch.arange(len(made), device=self.device).tensor_split(self.count)
        makers = torch.cat([torch.full_like(part, k) for k, part in enumerate(parts)])
        return self.to_each(Samples(made, {"generator": makers}))

    def value(self, inputs: LossInputs) -> Tensor:
        adversarial = self.loss.adversarial
        if not isinstance(adversarial, TargetLoss):
            return super().value(inputs)
        assert inputs.real is not None
        of_real, of_fake = adversarial.parts(inputs.real, inputs.fake, inputs.real_target, inputs.fake_target)
        return of_real + self.fake_weight * of_fake

    def discriminator_turn(self, discriminator: str, fakes: Samples, batch: Batch) -> TurnContext:
        context = super().discriminator_turn(discriminator, fakes, batch)
        scores = context.comparisons[discriminator].fake
        named = self.get_submodule(f"{discriminator}.heads.generator")(scores.features).float()
        term = self.fake_weight * self.weight * F.cross_entropy(named, scores.samples.conditions["generator"])
        return replace(context, terms={**context.terms, "identification": term})

    def preview_request(self, n: int) -> Request:
        """One row for each generator."""
        request = super().preview_request(n)
        return replace(request, columns=n // self.count) if n % self.count == 0 else request
