"""Top-k training of the generator."""

from __future__ import annotations

from dataclasses import replace

from gantrain import shares
from gantrain.ranges import COUNT, within
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import RunPlan
from gantrain.turns import Batch, LossInputs, Player, TurnPlan


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

    def check(self, plan: RunPlan) -> None:
        plan.needs_whole_batch(f"{self.name} takes the best of the whole batch")

    def plan(self, player: Player, plan: TurnPlan) -> TurnPlan:
        if not player.is_generator:
            return plan
        return replace(plan, top_k_share=max(self.gamma ** (plan.played // self.every), self.floor))

    def targets(self, player: Player, inputs: LossInputs, batch: Batch) -> LossInputs:
        if not player.is_generator:
            return inputs
        fake = shares.gathered(inputs.fake)
        n = len(fake)
        best = fake.float().reshape(n, -1).mean(1).topk(max(int(batch.plan.top_k_share * n + 1e-6), 1)).indices
        real = shares.gathered(inputs.real)[best] if inputs.real is not None else None  # pairs stay pairs
        return replace(inputs, fake=fake[best], real=real)
