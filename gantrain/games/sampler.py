"""A game's generators alone: latents to samples, as a module that other programs can run."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from gantrain.games.adversarial import Adversarial
from gantrain.games.base import Game
from gantrain.networks.layers import fold_parametrizations
from gantrain.turns import Batch


class Sampler(nn.Module):
    """Latents (n, …), in the order of `inputs`, to samples (n, *shape).

    Samples are pixels in [-1, 1], or numbers in the data's units: what `Game.sample` makes of these latents. The
    module's tensors are those of the generators, averaged where the game has averages, with parametrizations such as
    spectral norm folded in, and `mean` and `std`, which map standardised numbers back.

    Args:
        game: stays as it is.
        facts: of the data: `mean` and `std`, where its numbers are standardised.
        step: of the run whose networks these are.

    Raises:
        ValueError: the game makes its samples of more than latents.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(self, game: Game, facts: Mapping[str, Tensor], step: int = 0) -> None:
        super().__init__()
        if game.inputs or not isinstance(game, Adversarial):
            raise ValueError("this run makes its samples out of data, and not of noise alone")
        game = copy.deepcopy(game).cpu().float().eval().requires_grad_(False)
        for player in game.generators:
            fold_parametrizations(game.network(player))
            self.add_module(player, game.network(player))
        for name in ("mean", "std"):
            self.register_buffer(name, facts.get(name))
        self._game = (game,)  # in a tuple: its other players are no sub-modules of this one
        self._batch = game.batch_at(step)
        self.judge = game.sample_sets["samples"]
        self.inputs = [name for name in game.latents(2) if not self._does_without(name)]

    def forward(self, *latents: Tensor) -> Tensor:
        (game,) = self._game
        batch = replace(self._batch, latent=dict(zip(self.inputs, latents, strict=True)))
        samples = game.fakes_for((self.judge,), batch, averaged=True)[self.judge].x.float()
        return samples if self.mean is None or self.std is None else samples * self.std + self.mean

    def examples(self, n: int) -> dict[str, Tensor]:
        """What it takes for n samples, drawn at random."""
        drawn = self._game[0].latents(n)
        return {name: drawn[name] for name in self.inputs}

    def _does_without(self, name: str) -> bool:
        (game,) = self._game
        latent = {other: values for other, values in game.latents(2).items() if other != name}
        batch: Batch = replace(self._batch, latent=latent)
        try:
            with torch.no_grad():
                game.generate(batch, averaged=True)
        except KeyError:
            return False
        return True
