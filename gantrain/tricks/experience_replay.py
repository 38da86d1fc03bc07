"""Experience replay."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gantrain import shares
from gantrain.ranges import SAMPLES, within
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface, RunPlan
from gantrain.turns import DrawBatch, Player, Samples


class ExperienceReplay(Trick):
    """A share of the fakes of a discriminator's turn are old ones out of a pool (Shrivastava et al. 2017, section 2.3).

    Each discriminator has a pool of its own. After each turn as many new fakes take random places in the pool; until it
    is full they are added, and nothing is replayed.

    Args:
        size: fakes in the pool.
        share: of the fakes of a turn; ½ in the paper.
        each: every fake by itself is exchanged for one in the pool with the chance `share`, as in the code of Zhu et
            al. 2017: for batches of a few samples.

    Raises:
        ValueError: `share` is no probability, or the pool is smaller than what is replayed at once.
    """

    def __init__(self, size: int = 2048, share: float = 0.5, each: bool = False) -> None:
        super().__init__()
        within(SAMPLES, size=size)
        within("(0, 1]", share=share)
        self.size, self.share, self.each = size, share, each
        self.discriminators: tuple[str, ...] = ()

    def check(self, plan: RunPlan) -> None:
        if self._replayed(plan.samples) > self.size:
            raise ValueError(f"a pool of {self.size} is smaller than what is replayed at once: set a larger size")

    def _replayed(self, n: int) -> int:
        """How many may be replayed of n."""
        return n if self.each else max(round(n * self.share), 1)

    def setup(self, game: GameInterface) -> None:
        self.discriminators = game.discriminators

    def _load_from_state_dict(self, state_dict: MutableMapping[str, Any], prefix: str, *rest: Any) -> None:
        if f"{prefix}filled" in state_dict:  # checkpoints of older runs have one pool, whoever judges
            names = {"filled": "filled", "samples": "x"}
            names |= {key: key.removeprefix("given_") for key in _own(state_dict, prefix) if key.startswith("given_")}
            for old, name in names.items():
                pool = state_dict.pop(prefix + old, None)
                for player in self.discriminators if pool is not None else ():
                    state_dict[f"{prefix}{name}_{player}"] = pool
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def begin(self, game: GameInterface, draw: DrawBatch) -> None:
        devices = [game.device] if game.device.type == "cuda" else []
        with torch.random.fork_rng(devices), game.evaluating(*game.children()):  # it only looks at shapes
            made = game.generate(draw(2))
        for player, fakes in made.items():
            self.register_buffer(f"filled_{player}", torch.zeros((), dtype=torch.int64, device=game.device))
            for name, values in {"x": fakes.x, **fakes.conditions}.items():
                self.register_buffer(f"{name}_{player}", values.new_zeros(self.size, *values.shape[1:]))

    @torch.no_grad()
    def fakes(self, discriminator: Player, fakes: Samples) -> Samples:
        """With several devices all of them have the same pool, and exchange what all of them made."""
        everyone = fakes.map(shares.gathered)
        mixed = self._exchanged(discriminator, everyone) if self.each else self._replay(discriminator, everyone)
        return mixed.map(shares.own)

    def _exchanged(self, discriminator: Player, fakes: Samples) -> Samples:
        """Each fake or, by chance, the one in whose place it goes; while the pool fills up, those that have room go."""
        n, device = len(fakes), fakes.x.device
        filled = getattr(self, f"filled_{discriminator.name}")
        here, full = torch.arange(n, device=device), filled >= self.size
        chosen = shares.each_part(lambda: torch.rand(n, device=device)) < self.share
        added = filled + here
        goes = torch.where(full, chosen, added < self.size)
        places = shares.each_part(lambda: torch.randperm(self.size, device=device)[:n])
        place = torch.where(full, places, added % self.size)

        def swap(name: str, new: Tensor) -> Tensor:
            pool = getattr(self, f"{name}_{discriminator.name}")
            old, new_shape = pool[place], (-1, *[1] * (new.dim() - 1))
            pool[place] = torch.where(goes.view(new_shape), new.to(pool.dtype), old)
            return torch.where((goes & full).view(new_shape), old.to(new.dtype), new)

        conditions = {name: swap(name, values) for name, values in fakes.conditions.items()}
        mixed = replace(fakes, x=swap("x", fakes.x), conditions=conditions)
        filled.add_(n).clamp_(max=self.size)
        return mixed

    def _replay(self, discriminator: Player, fakes: Samples) -> Samples:
        """A fixed number of old ones, and of those that are new and go into the pool."""
        n = len(fakes)
        count = self._replayed(n)
        device = fakes.x.device
        filled = getattr(self, f"filled_{discriminator.name}")
        # a batch may have an order: who made a sample, stratified noise
        order = shares.each_part(lambda: torch.randperm(n, device=device))
        old = (shares.each_part(lambda: torch.rand(count, device=device)) * filled.clamp(min=1)).long()
        added = (filled + torch.arange(count, device=device)) % self.size
        places = shares.each_part(lambda: torch.randperm(self.size, device=device)[:count])
        place = torch.where(filled < self.size, added, places)
        full = filled >= self.size

        def swap(name: str, new: Tensor) -> Tensor:
            new = new[order]
            pool = getattr(self, f"{name}_{discriminator.name}")
            replayed = torch.cat([torch.where(full, pool[old].to(new.dtype), new[:count]), new[count:]])
            pool[place] = new[n - count :].to(pool.dtype)  # a turn in bf16 makes fakes of that type
            return replayed

        conditions = {name: swap(name, values) for name, values in fakes.conditions.items()}
        mixed = replace(fakes, x=swap("x", fakes.x), conditions=conditions)
        filled.add_(count).clamp_(max=self.size)
        return mixed


def _own(state_dict: Mapping[str, Any], prefix: str) -> list[str]:
    """The names of a module's own tensors in a state."""
    return [key.removeprefix(prefix) for key in state_dict if key.startswith(prefix)]
