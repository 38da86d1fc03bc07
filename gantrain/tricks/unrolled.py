"""Unrolled discriminators."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gantrain.ranges import POSITIVE, within
from gantrain.tricks.base import Context, Plan, Trick, is_discriminator, is_generator

if TYPE_CHECKING:
    from gantrain.games.base import Game

Moments = tuple[Tensor, Tensor]
"""Adam's running means of a weight's slope and of its square."""


class Unrolled(Trick):
    """The generator plays against the discriminator as it will be `steps` steps later (Metz et al. 2016, equation 10).

    The generator maximises the discriminator's own loss, the value of the zero-sum game, after these steps. They
    descend on the discriminator's whole loss, on this turn's samples, and the generator's gradient runs through them
    (equations 6 to 8). Lazy penalties are part of each step at their average strength. The discriminator itself and
    its optimizer stay as they are: the steps work on copies of its weights and of all buffers.

    Args:
        steps: K; with 0 the generator plays against the discriminator as it is.
        lr: η of the unrolled steps.
        optimizer: `sgd` as the paper's equations have it, or `adam` as its authors' code for the ring: with the moments
            of the gradients of the discriminator's turns so far, as tricks named before this one leave them, so that
            the steps are those that its own Adam would take at the same rate and betas, without weight decay.
        betas: of adam.

    Raises:
        ValueError: negative `steps`, `lr` not positive, or `betas` not two numbers in [0, 1).
    """

    needs_real = True
    replaces = drops = ("generator/adversarial",)
    rates = ("lr",)

    def __init__(
        self,
        steps: int = 5,
        lr: float = 0.02,
        optimizer: Literal["sgd", "adam"] = "sgd",
        betas: list[float] | None = None,
    ) -> None:
        super().__init__()
        self.frozen: set[str] = set()
        self.betas = [0.5, 0.999] if betas is None else betas
        within("[0, 10000]", steps=steps)
        within(POSITIVE, lr=lr)
        within("[0, 1)", betas=self.betas)
        if len(self.betas) != 2:
            raise ValueError(f"betas must be two numbers, got {self.betas}")
        self.steps, self.lr, self.optimizer = steps, lr, optimizer

    def setup(self, game: Game) -> None:
        self.frozen = {name for name, parameter in game.named_parameters() if not parameter.requires_grad}

    def check(self, plan: Plan) -> None:
        plan.needs_whole_batch(f"{self.name} moves the discriminator on the whole batch")

    def terms(self, player: str, context: Context) -> Mapping[str, Tensor]:
        if not is_generator(player):
            return {}
        game, made = context.game, context.made
        buffers = {name: buffer.clone() for name, buffer in game.named_buffers()}
        weights = {
            name: weight.detach().clone().requires_grad_(True)
            for name, weight in game.named_parameters()
            if name.partition(".")[0] in game.discriminators and name not in self.frozen
        }
        penalties = game.loss.penalties
        batch = replace(context.batch, phase={**context.batch.phase, "penalties": tuple(penalties)})

        def loss() -> Tensor:
            """The discriminators' whole loss, with every penalty as strong as it is on average."""
            terms: list[Tensor] = []
            for name in game.discriminators:
                turn = game.contest(name, made, batch)
                once = {key: x / penalties[key].every if key in penalties else x for key, x in turn.terms.items()}
                terms += game.with_tricks(name, replace(turn, terms=once)).values()
            return torch.stack(terms).sum()

        moments = self._moments(game, weights)
        for step in range(self.steps):
            total = functional_call(game, {**weights, **buffers}, (loss,))
            slopes = torch.autograd.grad(total, list(weights.values()), create_graph=True, materialize_grads=True)
            for name, slope in zip(list(weights), slopes, strict=True):
                way = slope
                if self.optimizer == "adam":
                    moments[name], way = self._adam(name, moments[name], slope, step)
                weights[name] = weights[name] - self.lr * way

        def answer() -> Tensor:
            values = [game.contest(name, made, context.batch).terms["adversarial"] for name in game.discriminators]
            return game.aggregate([-value for value in values])

        return {"adversarial": functional_call(game, {**weights, **buffers}, (answer,))}

    @torch.no_grad()
    def before_update(self, player: str, parameters: Sequence[nn.Parameter]) -> None:
        if self.optimizer != "adam" or not is_discriminator(player):
            return
        if not hasattr(self, f"{player}_turns"):
            self.register_buffer(f"{player}_turns", torch.zeros((), device=parameters[0].device))
            for k, parameter in enumerate(parameters):
                for moment in (1, 2):
                    self.register_buffer(f"{player}_{k}_{moment}", torch.zeros_like(parameter))
        getattr(self, f"{player}_turns").add_(1)
        for k, parameter in enumerate(parameters):
            if parameter.grad is not None:
                for moment, beta in zip((1, 2), self.betas, strict=True):
                    getattr(self, f"{player}_{k}_{moment}").lerp_(parameter.grad**moment, 1 - beta)

    def _moments(self, game: Game, names: Collection[str]) -> dict[str, Moments]:
        """Those of the discriminators' turns so far, 0 before the first; by the names of weights."""
        frozen = {id(p) for name, p in game.named_parameters() if name in self.frozen}
        moving = {name: [p for p in game.parameters_of(name) if id(p) not in frozen] for name in game.discriminators}
        keys = {id(p): f"{player}_{k}" for player, own in moving.items() for k, p in enumerate(own)}
        held = [(name, p, keys.get(id(p))) for name, p in game.named_parameters() if name in names]
        return {
            name: (getattr(self, f"{key}_1", torch.zeros_like(p)), getattr(self, f"{key}_2", torch.zeros_like(p)))
            for name, p, key in held
        }

    def _adam(self, name: str, moments: Moments, slope: Tensor, step: int) -> tuple[Moments, Tensor]:
        """The moments with this slope, and where Adam goes (Kingma & Ba 2015, algorithm 1)."""
        turns = getattr(self, f"{name.partition('.')[0]}_turns", 0) + step + 1
        (first, second), (one, two) = moments, self.betas
        first, second = torch.lerp(first, slope, 1 - one), torch.lerp(second, slope.square(), 1 - two)
        # the slope of a root at 0 is infinite, and no gradient runs through a weight that never moved
        spread = (second / (1 - two**turns)).clamp_min(1e-30).sqrt()
        return (first, second), first / (1 - one**turns) / (spread + 1e-8)
