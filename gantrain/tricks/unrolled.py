"""Unrolled discriminators."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gantrain.ranges import POSITIVE, within
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface, RunPlan, TurnContext
from gantrain.turns import DrawBatch, Player

Moments = tuple[Tensor, Tensor, Tensor]
"""Adam's running means of a weight's slope and of its square, and the number of turns that they are of."""


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

    def setup(self, game: GameInterface) -> None:
        self.frozen = {name for name, parameter in game.named_parameters() if not parameter.requires_grad}

    def check(self, plan: RunPlan) -> None:
        sentence = f"{self.name} moves the discriminator on the whole batch"
        plan.needs_whole_batch(sentence)
        plan.needs_one_device(sentence)

    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        if not player.is_generator:
            return {}
        game, fakes = context.game, context.fakes
        buffers = {name: buffer.clone() for name, buffer in game.named_buffers()}
        moving = {id(p) for player in game.discriminators for p in self._moving(game, player)}
        weights = {
            name: weight.detach().clone().requires_grad_(True)
            for name, weight in game.named_parameters()
            if id(weight) in moving
        }
        penalties = game.loss.penalties
        batch = replace(context.batch, plan=replace(context.batch.plan, penalties=tuple(penalties)))

        def loss() -> Tensor:
            """The discriminators' whole loss, with every penalty as strong as it is on average."""
            terms: list[Tensor] = []
            for name, made in fakes.items():
                turn = game.discriminator_turn(name, made, batch)
                once = {key: x / penalties[key].every if key in penalties else x for key, x in turn.terms.items()}
                terms += game.trick_terms(name, replace(turn, terms=once)).values()
            return torch.stack(terms).sum()

        moments = self._moments(game, weights)
        for step in range(self.steps):
            total = _call_with({**weights, **buffers}, game, loss)
            slopes = torch.autograd.grad(total, list(weights.values()), create_graph=True, materialize_grads=True)
            for name, slope in zip(list(weights), slopes, strict=True):
                direction = slope
                if self.optimizer == "adam":
                    moments[name], direction = self._adam(moments[name], slope, step)
                weights[name] = weights[name] - self.lr * direction

        def value() -> Tensor:
            turns = [game.discriminator_turn(name, made, context.batch) for name, made in fakes.items()]
            return game.aggregate([-turn.terms["adversarial"] for turn in turns], context.batch)

        return {"adversarial": _call_with({**weights, **buffers}, game, value)}

    def begin(self, game: GameInterface, draw: DrawBatch) -> None:
        for player in game.discriminators if self.optimizer == "adam" else ():
            moving = self._moving(game, player)
            self.register_buffer(f"{player}_turns", torch.zeros((), device=game.device))
            for k, parameter in enumerate(moving):
                for moment in (1, 2):
                    self.register_buffer(f"{player}_{k}_{moment}", torch.zeros_like(parameter))

    @torch.no_grad()
    def before_update(self, player: Player, parameters: Sequence[nn.Parameter]) -> None:
        if self.optimizer != "adam" or not player.is_discriminator:
            return
        getattr(self, f"{player.name}_turns").add_(1)
        for k, parameter in enumerate(parameters):
            if parameter.grad is not None:
                for moment, beta in zip((1, 2), self.betas, strict=True):
                    getattr(self, f"{player.name}_{k}_{moment}").lerp_(parameter.grad**moment, 1 - beta)

    def _moments(self, game: GameInterface, names: Collection[str]) -> dict[str, Moments]:
        """Those of the discriminators' turns so far, by the names of weights; none where the steps do not use them."""
        if self.optimizer != "adam":
            return {}
        players = game.discriminators
        keys = {id(p): f"{player}_{k}" for player in players for k, p in enumerate(self._moving(game, player))}
        held = [(name, keys[id(p)]) for name, p in game.named_parameters() if name in names]
        turns = {name: getattr(self, f"{key.rpartition('_')[0]}_turns") for name, key in held}
        return {name: (getattr(self, f"{key}_1"), getattr(self, f"{key}_2"), turns[name]) for name, key in held}

    def _moving(self, game: GameInterface, player: str) -> list[nn.Parameter]:
        """The player's parameters without those that are frozen from the start."""
        frozen = {id(p) for name, p in game.named_parameters() if name in self.frozen}
        return [p for p in game.parameters_of(player) if id(p) not in frozen]

    def _adam(self, moments: Moments, slope: Tensor, step: int) -> tuple[Moments, Tensor]:
        """The moments with this slope, and where Adam goes (Kingma & Ba 2015, algorithm 1)."""
        (first, second, played), (one, two) = moments, self.betas
        turns = played + step + 1
        first, second = torch.lerp(first, slope, 1 - one), torch.lerp(second, slope.square(), 1 - two)
        # the slope of a root at 0 is infinite, and no gradient runs through a weight that never moved
        spread = (second / (1 - two**turns)).clamp_min(1e-30).sqrt()
        return (first, second, played), first / (1 - one**turns) / (spread + 1e-8)


def _call_with(tensors: Mapping[str, Tensor], game: GameInterface, call: Callable[[], Tensor]) -> Tensor:
    """Makes a call with other tensors in the place of those of the game, wherever these are held.

    A module that several players share is changed under one of its names: `functional_call` by itself changes it under
    each, takes its own first change for what was there before, and leaves that behind.
    """
    new = {id(x): tensors[name] for name, x in (*game.named_parameters(), *game.named_buffers()) if name in tensors}
    held = [
        (place, x)
        for name, module in game.named_modules()
        for named in (module.named_parameters, module.named_buffers)
        for place, x in named(name, recurse=False)
    ]
    swapped = {place: new[id(x)] for place, x in held if id(x) in new}
    return functional_call(game, swapped, (call,), tie_weights=False)
