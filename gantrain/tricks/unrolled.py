"""Unrolled discriminators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.func import functional_call

from gantrain.ranges import POSITIVE, within
from gantrain.tricks.base import Context, Trick, is_generator


class Unrolled(Trick):
    """The generator plays against the discriminator as it will be `steps` steps later (Metz et al. 2016, equation 10).

    The generator maximises the discriminator's own loss, the value of the zero-sum game, after these steps. They are
    gradient descent on the discriminator's whole loss, on this turn's samples, and the generator's gradient runs
    through them (equations 6 to 8). The discriminator itself and its optimizer stay as they are: the steps work on
    copies of its weights and of all buffers.

    Args:
        steps: K.
        lr: η of the unrolled steps.

    Raises:
        ValueError: `steps` or `lr` is not positive.
    """

    needs_real = True
    replaces = drops = ("generator/adversarial",)

    def __init__(self, steps: int = 5, lr: float = 0.02) -> None:
        super().__init__()
        within("[1, 10000]", steps=steps)
        within(POSITIVE, lr=lr)
        self.steps, self.lr = steps, lr

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        if not is_generator(player):
            return {}
        game, made = context.game, context.made
        buffers = {name: buffer.clone() for name, buffer in game.named_buffers()}
        weights = {
            name: weight.detach().clone().requires_grad_(True)
            for name, weight in game.named_parameters()
            if name.partition(".")[0] in game.discriminators
        }
        for step in range(self.steps):

            def loss(step: int = step) -> Tensor:
                terms: list[Tensor] = []
                for name in game.discriminators:
                    batch = replace(context.batch, phase=game.phase(name, step))
                    terms += game.with_tricks(name, game.contest(name, made, batch)).values()
                return torch.stack(terms).sum()

            total = functional_call(game, {**weights, **buffers}, (loss,))
            slopes = torch.autograd.grad(total, list(weights.values()), create_graph=True, materialize_grads=True)
            weights = {name: w - self.lr * slope for (name, w), slope in zip(weights.items(), slopes, strict=True)}

        def answer() -> Tensor:
            values = [game.contest(name, made, context.batch).terms["adversarial"] for name in game.discriminators]
            return game.aggregate([-value for value in values])

        return {"adversarial": functional_call(game, {**weights, **buffers}, (answer,))}
