"""Experience replay."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrain.ranges import SAMPLES, within
from gantrain.tricks.base import Plan, Shown, Trick


class ExperienceReplay(Trick):
    """A share of the fakes of a discriminator's turn are old ones out of a pool (Shrivastava et al. 2017, section 2.3).

    After each turn as many new fakes take random places in the pool; until it is full they are added, and nothing is
    replayed.

    Args:
        size: fakes in the pool.
        share: of the fakes of a turn; ½ in the paper.

    Raises:
        ValueError: `share` is no probability, or the pool is smaller than what is replayed at once.
    """

    filled: Tensor

    def __init__(self, size: int = 2048, share: float = 0.5) -> None:
        super().__init__()
        within(SAMPLES, size=size)
        within("(0, 1]", share=share)
        self.size, self.share = size, share
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def check(self, plan: Plan) -> None:
        if self._replayed(plan.samples) > self.size:
            raise ValueError(f"a pool of {self.size} is smaller than what is replayed at once: set a larger size")

    def _replayed(self, n: int) -> int:
        return max(round(n * self.share), 1)

    @torch.no_grad()
    def fakes(self, made: Shown) -> Shown:
        n = len(made.samples)
        count = self._replayed(n)
        device = made.samples.device
        order = torch.randperm(n, device=device)  # a batch may have an order: who made a sample, stratified noise
        old = (torch.rand(count, device=device) * self.filled.clamp(min=1)).long()
        added = (self.filled + torch.arange(count, device=device)) % self.size
        place = torch.where(self.filled < self.size, added, torch.randperm(self.size, device=device)[:count])
        full = self.filled >= self.size

        def swap(key: str, new: Tensor) -> Tensor:
            new = new[order]
            if not hasattr(self, key):
                self.register_buffer(key, new.new_zeros(self.size, *new.shape[1:]))
            pool = getattr(self, key)
            mixed = torch.cat([torch.where(full, pool[old], new[:count]), new[count:]])
            pool[place] = new[n - count :]
            return mixed

        shown = Shown(swap("samples", made.samples), {k: swap(f"given_{k}", v) for k, v in made.given.items()})
        self.filled.add_(count).clamp_(max=self.size)
        return shown
