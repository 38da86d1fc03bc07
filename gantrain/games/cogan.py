"""Pairs of two domains, learnt without pairs (Liu & Tuzel 2016, CoGAN)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor

from gantrain.games.base import Request
from gantrain.games.domains import refuse_one_domain
from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.coupled import CoupledDiscriminator, CoupledGenerators
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks import Trick
from gantrain.turns import Batch, Samples


class CoGAN(Standard):
    """Two generators make a sample of each domain from one noise, and two discriminators judge them.

    What the generators share decides what a sample is, the high-level features that their first layers make; so do the
    last layers of the discriminators (sections 3.1 and 3.2). The value is the sum of those of both domains (equation
    3); here it is their mean, as in the reference code. Domain B is "real" and domain A "other"; a sample is one of
    domain B, with that of domain A beside it.

    Args:
        shape, other_shape: of samples of domain B and of domain A.
        generator_own: the last layers with weights that each generator has for itself.
        discriminator_own: the first ones that each discriminator has for itself.

    Raises:
        ValueError: there are no two domains, or nothing is shared.
    """

    conditions = ("other",)
    grid = ("other", "samples")
    labelled = True
    pairs_domains = True

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        shape: list[int],
        other_shape: list[int] | None,
        generator_own: int = 1,
        discriminator_own: int = 1,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        within(NOT_NEGATIVE, generator_own=generator_own, discriminator_own=discriminator_own)
        self.shape, self.other_shape = shape, refuse_one_domain(other_shape, "cogan")
        self.generator_own, self.discriminator_own = generator_own, discriminator_own
        super().__init__(generator, discriminator, noise, loss, tricks)

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        a, b = (partial(generator, noise_dim=self.noise.dim, shape=shape) for shape in (self.other_shape, self.shape))
        self.add_module("generator", CoupledGenerators(a, b, self.generator_own))
        of_a, of_b = (partial(discriminator, shape=shape) for shape in (self.other_shape, self.shape))
        self.add_module("discriminator", CoupledDiscriminator(of_a, of_b, self.discriminator_own))

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        a, b = self.network("generator", averaged)(batch.latent["noise"])
        return self.to_each(Samples(b, {"other": a}))

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        return self.to_each(Samples(batch.data["real"], {"other": batch.data["other"]}))

    def sample(self, request: Request) -> dict[str, Samples]:
        """Of both domains, in pairs: "samples" of domain B and "other" of domain A."""
        (pairs,) = super().sample(request).values()
        other: Tensor = pairs.conditions["other"].float()
        return {"samples": Samples(pairs.x), "other": Samples(other)}
