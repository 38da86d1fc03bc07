"""A game's generators alone: latents, or pictures, to samples, as a module that other programs can run."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from gantrain.games.adversarial import Adversarial
from gantrain.games.base import Game
from gantrain.networks.layers import fold_parametrizations
from gantrain.networks.unet import NoisyDropout
from gantrain.turns import Batch


class Sampler(nn.Module):
    """Latents (n, …) and pictures to start from, in the order of `inputs`, to samples (n, *shape).

    Samples are pixels in [-1, 1], or numbers in the data's units: what `Game.sample` makes of these latents. The
    module's tensors are those of the generators, averaged where the game has averages, with parametrizations such as
    spectral norm folded in, and `mean` and `std`, which map standardised numbers back. Dropout is off, so that samples
    follow from what is given.

    Args:
        game: stays as it is.
        facts: of the data: `mean` and `std`, where its numbers are standardised.
        step: of the run whose networks these are.

    Raises:
        ValueError: the game makes its samples of data whose shape it does not say.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(self, game: Game, facts: Mapping[str, Tensor], step: int = 0) -> None:
        super().__init__()
        if not set(game.inputs) <= set(game.input_shapes) or not isinstance(game, Adversarial):
            raise ValueError("this run makes its samples out of data of the run alone")
        game = copy.deepcopy(game).cpu().float().eval().requires_grad_(False)
        for player in game.generators:
            fold_parametrizations(game.network(player))
            self.add_module(player, game.network(player))
        for part in self.modules():
            if isinstance(part, NoisyDropout):
                part.p = 0.0
        for name in ("mean", "std"):
            self.register_buffer(name, facts.get(name))
        self._game = (game,)  # in a tuple: its other players are no sub-modules of this one
        self._batch = game.batch_at(step)
        latents = [name for name in game.latents(2) if not self._does_without(name)]
        self.inputs = [*latents, *game.inputs]

    def forward(self, *latents: Tensor) -> Tensor:
        (game,) = self._game
        given = dict(zip(self.inputs, latents, strict=True))
        batch = replace(self._batch, latent=given, data={name: given[name] for name in game.inputs})
        samples = game.samples_of(batch)["samples"].x
        return samples if self.mean is None or self.std is None else samples * self.std + self.mean

    def examples(self, n: int) -> dict[str, Tensor]:
        """What it takes for n samples, drawn at random."""
        (game,) = self._game
        drawn = game.latents(n)
        drawn |= {name: torch.rand(n, *game.input_shapes[name]) * 2 - 1 for name in game.inputs}
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
