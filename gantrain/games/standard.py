"""One generator against one discriminator (Goodfellow et al. 2014)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from gantrain.games.adversarial import Adversarial
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.tricks import Trick
from gantrain.turns import Batch, Samples


class Standard(Adversarial):
    """The two-player game.

    Args:
        generator, discriminator: make the players; the generator is told `noise_dim`.
        noise: what the generator starts from.
        loss: what they fight for.
        tricks: by name, in the user's order.
    """

    noise: Noise

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        super().__init__(loss)
        self.noise = noise
        self.build_players(generator, discriminator)
        self.install(tricks or {})

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        """Makes the players' networks."""
        self.generator = generator(noise_dim=self.noise.dim)
        self.discriminator = discriminator()

    def latents(self, n: int) -> dict[str, Tensor]:
        return {"noise": self.noise.sample(n, self.device)}

    def latents_in_words(self) -> dict[str, str]:
        return {"noise": self.noise.in_words}

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        return self.to_each(Samples(self.network("generator", averaged)(batch.latent["noise"])))

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        return self.to_each(Samples(batch.data["real"]))
