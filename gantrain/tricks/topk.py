"""Top-k training of the generator."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from gantrain.ranges import COUNT, within
from gantrain.tricks.base import Plan, Seen, Trick, is_generator

if TYPE_CHECKING:
    from gantrain.games.base import Batch


class TopK(Trick):
    """The generator learns only from the k fakes of its batch that the discriminator likes best (Sinha et al. 2020).

    k starts at the whole batch and shrinks by `gamma` every `every` generator turns until it is `floor` of the batch.

    Args:
        gamma: 0.99 in the paper, once per epoch.
        every: generator turns between two steps of k.
        floor: least share of the batch; ½ in the paper.

    Raises:
        ValueError: `gamma` or `floor` is not in (0, 1], or `every` is below 1.
    """

    shapes = ("generator/adversarial",)

    def __init__(self, gamma: float = 0.99, every: int = 100, floor: float = 0.5) -> None:
        super().__init__()
        within("(0, 1]", gamma=gamma, floor=floor)
        within(COUNT, every=every)
        self.gamma, self.every, self.floor = gamma, every, floor

    def check(self, plan: Plan) -> None:
        plan.needs_whole_batch(f"{self.name} takes the best of the whole batch")

    def phase(self, player: str, played: int) -> Hashable:
        """The share of the batch that counts."""
        return None if not is_generator(player) else float(max(self.gamma ** (played // self.every), self.floor))

    def targets(self, player: str, seen: Seen, batch: Batch) -> Seen:
        if not is_generator(player):
            return seen
        share = batch.phase.get(self.name, 1.0)
        assert isinstance(share, float)
        n = len(seen.fake)
        best = seen.fake.float().reshape(n, -1).mean(1).topk(max(int(share * n + 1e-6), 1)).indices
        real = seen.real[best] if seen.real is not None else None  # pairs stay pairs
        return replace(seen, fake=seen.fake[best], real=real)
