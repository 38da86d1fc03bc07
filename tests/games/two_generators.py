"""A game with two generators, each judged by a discriminator of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gantrain.games import Standard
from gantrain.networks import Discriminator, Generator
from gantrain.turns import Batch, Samples


class TwoGenerators(Standard):
    """Two two-player games beside each other, from the same noise."""

    generators = ("generator_0", "generator_1")
    discriminators = ("discriminator_0", "discriminator_1")

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        for makes, judges in zip(self.generators, self.discriminators, strict=True):
            self.add_module(makes, generator(noise_dim=self.noise.dim))
            self.add_module(judges, discriminator())

    def opponents(self, generator: str) -> tuple[str, ...]:
        return (generator.replace("generator", "discriminator"),)

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        makers = zip(self.generators, self.discriminators, strict=True)
        return {judges: Samples(self.network(makes, averaged)(batch.latent["noise"])) for makes, judges in makers}
