"""Several discriminators judge one generator (Durugkar, Gemp & Mahadevan 2017, GMAN)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain import shares
from gantrain.games.standard import Standard
from gantrain.kinds import Kind
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.network import WrappedDiscriminator
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks import RunPlan, Trick
from gantrain.turns import Batch


class DownscaledDiscriminator(WrappedDiscriminator):
    """A discriminator of pictures averaged over squares of so many pixels each way.

    Args:
        network: judges the averaged pictures.
    """

    def __init__(self, network: Discriminator, side: int) -> None:
        super().__init__(network)
        self.side = side

    def trunk_inputs(self, x: Tensor, **conditions: Tensor) -> tuple[Tensor, ...]:
        return (F.avg_pool2d(x, self.side),)

    def features(self, x: Tensor) -> Tensor:
        return self.trunk(*self.trunk_inputs(x))


class GMAN(Standard):
    """One generator against N discriminators.

    Args:
        count: N.
        aggregate: what the generator minimises of its N losses: their `mean`, the largest (`max`: the harshest critic,
            section 3.1), or their mean weighted by `softmax`(hardness · losses) (section 4.2). The weights are part of
            what is minimised: as in the reference code the gradient runs through them too, and pulls at a loss l with
            w·(1 + hardness·(l - mean)), which is less than 0 for one that lies more than 1/hardness below the mean.
        hardness: λ of softmax: 0 is the mean, and the larger it is, the nearer to `max`.
        drop_discriminator: the probability with which each one is left out of the generator's turn; one always stays
            (Mordido et al. 2018).
        roles: with `scales` discriminator k judges pictures averaged over squares of side 2^k.
        shape: of what discriminators are shown.

    Raises:
        ValueError: fewer than one discriminator, or settings out of range.
    """

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        shape: list[int],
        count: int = 3,
        aggregate: Literal["mean", "max", "softmax"] = "softmax",
        hardness: float = 1.0,
        drop_discriminator: float = 0.0,
        roles: Literal["same", "scales"] = "same",
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        within("[1, 256]", count=count)
        within(NOT_NEGATIVE, hardness=hardness)
        within("[0, 1)", drop_discriminator=drop_discriminator)
        if roles == "scales" and Kind.of(shape) is not Kind.PICTURES:
            kind = Kind.of(shape).value
            raise ValueError(f"roles=scales judges pictures, but the dataset holds {kind}: set model.roles=same")
        if roles == "scales" and min(shape[1:]) // 2 ** (count - 1) < 4:
            raise ValueError(
                f"roles=scales halves pictures of side {min(shape[1:])} {count - 1} times, which leaves too little: "
                "set a smaller model.count, or model.roles=same"
            )
        self.shape, self.aggregation, self.hardness = shape, aggregate, hardness
        self.drop_discriminator, self.roles = drop_discriminator, roles
        self.discriminators = tuple(f"discriminator_{k}" for k in range(count))
        super().__init__(generator, discriminator, noise, loss, tricks)

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        self.generator = generator(noise_dim=self.noise.dim)
        for name in self.discriminators:
            shape = self._shape_for(name)
            try:
                network, side = discriminator(shape=shape), self._side(name)
                self.add_module(name, network if side == 1 else DownscaledDiscriminator(network, side))
            except ValueError as error:
                if shape == self.shape:
                    raise
                raise ValueError(
                    f"{name} judges pictures of {shape[1]}x{shape[2]}, for which its network is not made: set a "
                    "smaller model.count, model.roles=same or networks=mlp"
                ) from error

    def check(self, plan: RunPlan) -> None:
        super().check(plan)
        if self.aggregation != "mean":
            sentence = f"model.aggregate={self.aggregation} weighs losses of the whole batch"
            plan.needs_whole_batch(sentence, ", or model.aggregate=mean")

    def latents(self, n: int) -> dict[str, Tensor]:
        """With the discriminators that take part in the generator's turn, a choice that all samples share."""
        drawn = super().latents(n)
        if self.drop_discriminator:
            chance = torch.rand(len(self.discriminators), device=self.device)
            present = (chance >= self.drop_discriminator) | (chance == chance.max())
            drawn["present"] = present.expand(n, -1)
        return drawn

    def aggregate(self, values: list[Tensor], batch: Batch) -> Tensor:
        losses = torch.stack(values)
        present = batch.latent["present"][0] if self.drop_discriminator else torch.ones_like(losses, dtype=torch.bool)
        if self.aggregation == "mean":
            return (losses * present).sum() / present.sum()
        if self.aggregation == "max":
            return shares.mean(losses).masked_fill(~present, -torch.inf).max()
        losses = shares.mean(losses)
        weights = (self.hardness * losses).masked_fill(~present, -torch.inf).softmax(0)
        return (weights * losses).sum()

    def _side(self, discriminator: str) -> int:
        return 2 ** self.discriminators.index(discriminator) if self.roles == "scales" else 1

    def _shape_for(self, discriminator: str) -> list[int]:
        side = self._side(discriminator)
        return [self.shape[0], *(size // side for size in self.shape[1:])]
