"""Several discriminators judge one generator (Durugkar, Gemp & Mahadevan 2017, GMAN)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks.base import Judged, Plan, Shown, Trick


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
        if roles == "scales" and len(shape) != 3:
            raise ValueError("roles=scales judges pictures, but the dataset holds numbers: set model.roles=same")
        if roles == "scales" and shape[1] // 2 ** (count - 1) < 4:
            raise ValueError(
                f"roles=scales halves pictures of side {shape[1]} {count - 1} times, which leaves too little: set a "
                "smaller model.count, or model.roles=same"
            )
        self.shape, self.how, self.hardness = shape, aggregate, hardness
        self.drop_discriminator, self.roles = drop_discriminator, roles
        self.discriminators = tuple(f"discriminator_{k}" for k in range(count))
        super().__init__(generator, discriminator, noise, loss, tricks)

    def seat(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        self.generator = generator(noise_dim=self.noise.dim)
        for name in self.discriminators:
            shape = self._shape_for(name)
            try:
                self.add_module(name, discriminator(shape=shape))
            except ValueError as error:
                if shape == self.shape:
                    raise
                raise ValueError(
                    f"{name} judges pictures of side {shape[1]}, for which its network is not made: set a smaller "
                    "model.count, model.roles=same or networks=mlp"
                ) from error

    def check(self, plan: Plan) -> None:
        super().check(plan)
        if self.how != "mean":
            sentence = f"model.aggregate={self.how} weighs losses of the whole batch"
            plan.needs_whole_batch(sentence, ", or model.aggregate=mean")

    def judge(self, discriminator: str, shown: Shown) -> Judged:
        seen = shown
        if (side := self._side(discriminator)) > 1:
            seen = replace(shown, samples=F.avg_pool2d(shown.samples, side))
        return replace(super().judge(discriminator, seen), shown=shown)

    def aggregate(self, values: list[Tensor]) -> Tensor:
        losses = torch.stack(values)
        present = torch.ones_like(losses)
        if self.drop_discriminator:
            chance = torch.rand_like(losses)
            present = ((chance >= self.drop_discriminator) | (chance == chance.max())).float()
        if self.how == "mean":
            return (losses * present).sum() / present.sum()
        if self.how == "max":
            return losses.masked_fill(present == 0, -torch.inf).max()
        weights = (self.hardness * losses).masked_fill(present == 0, -torch.inf).softmax(0)
        return (weights * losses).sum()

    def _side(self, discriminator: str) -> int:
        return 2 ** int(discriminator.rpartition("_")[2]) if self.roles == "scales" else 1

    def _shape_for(self, discriminator: str) -> list[int]:
        side = self._side(discriminator)
        return [self.shape[0], *(size // side for size in self.shape[1:])]
