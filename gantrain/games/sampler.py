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

PICTURE = "input"
"""What a translating network is given."""


class Sampler(nn.Module):
    """Latents (n, …) and pictures to start from, in the order of `inputs`, to samples (n, *shape).

    Samples are pixels in [-1, 1], or numbers in the data's units: what `Game.sample` makes of these latents. The
    module's tensors are those of the generators, averaged where the game has averages, with parametrizations such as
    spectral norm folded in, and `mean` and `std`, which map standardised numbers back. Dropout is off, so that samples
    follow from what is given. A game that translates pictures hands over the network that does, by itself.

    Args:
        game: stays as it is.
        facts: of the data: `mean` and `std`, where its numbers are standardised.
        step: of the run whose networks these are.
        asked: the user's words that choose among a game's translating networks.

    Raises:
        ValueError: the game makes its samples of data whose shape it does not say, or does not know such a word.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(
        self, game: Game, facts: Mapping[str, Tensor], step: int = 0, asked: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        if not set(game.inputs) <= set(game.input_shapes) or not isinstance(game, Adversarial):
            raise ValueError(
                "this run makes its samples out of data of the run alone: it has nothing to hand over by itself"
            )
        game = copy.deepcopy(game).cpu().float().eval().requires_grad_(False)
        self.translator = game.translator(asked or {})
        if asked and self.translator is None:
            raise ValueError(f"{'=…, '.join(asked)}=… asks for what this run's game does not know: leave it out")
        if self.translator is None:
            for player in game.generators:
                self.add_module(player, game.network(player))
        for _, network in self.named_children():
            fold_parametrizations(network)
        for part in self.modules():
            if isinstance(part, NoisyDropout):
                part.p = 0.0
        for name in ("mean", "std"):
            self.register_buffer(name, facts.get(name))
        self._game = (game,)  # in a tuple: its other players are no sub-modules of this one
        self._batch = game.batch_at(step)
        if self.translator is None:
            self.inputs = [*(name for name in game.latents(2) if not self._does_without(name)), *game.inputs]
        else:
            self.inputs = [PICTURE]

    def forward(self, *latents: Tensor) -> Tensor:
        if self.translator is not None:
            return self.translator(latents[0])
        (game,) = self._game
        given = dict(zip(self.inputs, latents, strict=True))
        batch = replace(self._batch, latent=given, data={name: given[name] for name in game.inputs})
        samples = game.samples_of(batch)["samples"].x
        return samples if self.mean is None or self.std is None else samples * self.std + self.mean

    def examples(self, n: int) -> dict[str, Tensor]:
        """What it takes for n samples, drawn at random."""
        (game,) = self._game
        if self.translator is not None:
            sides = next(iter(game.input_shapes.values()))[1:]
            return {PICTURE: torch.rand(n, self.translator.channels, *sides) * 2 - 1}
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
