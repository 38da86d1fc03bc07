"""Packing: the discriminator judges several samples at once."""

from __future__ import annotations

from dataclasses import replace

from gantrain.ranges import within
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface, RunPlan
from gantrain.turns import Samples


class Packing(Trick):
    """D judges `m` samples as one, stacked along the channels (Lin et al. 2018, PacGAN).

    A pack holds samples that follow each other, all real or all fake. It is made after every augmentation, whatever the
    order of the tricks; penalties and targets then belong to packs.

    Raises:
        ValueError: `m` below 2.
    """

    packs_samples = True

    def __init__(self, m: int = 2) -> None:
        super().__init__()
        within("[2, 1024]", m=m)
        self.m = m

    def setup(self, game: GameInterface) -> None:
        if game.labelled:
            raise ValueError(
                "packing judges several samples as one, but here each has a label or code of its own: "
                "leave packing out, or try minibatch_stddev"
            )

    def packed_shape(self, shape: list[int]) -> list[int]:
        return [self.m * shape[0], *shape[1:]]

    def check(self, plan: RunPlan) -> None:
        if plan.samples % (self.m * plan.devices):
            each = f" for each of {plan.devices} processes" if plan.devices > 1 else ""
            raise ValueError(
                f"{plan.samples} samples are not whole packs of {self.m}{each}: make trainer.batch_size / "
                f"trainer.accumulate a multiple of {self.m * plan.devices}"
            )

    def pack(self, samples: Samples) -> Samples:
        return replace(samples, x=samples.x.unflatten(0, (-1, self.m)).flatten(1, 2))
