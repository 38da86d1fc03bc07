"""Mode seeking."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from gantrain.ranges import NOT_NEGATIVE, within
from gantrain.tricks.base import Context, Plan, Trick, is_generator


class ModeSeeking(Trick):
    """The generator also pays 1 / (d(G(z₁), G(z₂)) / d(z₁, z₂)), d the mean absolute difference (Mao et al. 2019).

    Pairs are the first and the second half of the batch. Where samples have labels or codes, which the pair must share,
    the generator makes a second batch for it.

    Args:
        weight: λ, 1 in the paper.

    Raises:
        ValueError: a negative weight, or a batch that cannot be halved.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        within(NOT_NEGATIVE, weight=weight)
        self.weight = weight

    def check(self, plan: Plan) -> None:
        if plan.samples % 2:
            raise ValueError(f"mode_seeking pairs samples, and {plan.samples} is odd: set an even trainer.batch_size")

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        if not is_generator(player):
            return {}
        noise, samples = context.batch.latent["noise"], context.made.samples
        if context.game.labelled:
            other = context.game.generate({**context.batch.latent, "noise": noise.flip(0)}).samples
            ratio = _apart(samples, other) / _apart(noise, noise.flip(0))
        else:
            ratio = _apart(*samples.chunk(2)) / _apart(*noise.chunk(2))
        return {"mode_seeking": self.weight / (ratio + 1e-5)}  # 1e-5 as in the reference code


def _apart(first: Tensor, second: Tensor) -> Tensor:
    return (first.float() - second.float()).abs().mean()
