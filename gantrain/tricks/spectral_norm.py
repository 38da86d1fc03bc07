"""Spectral normalisation as a trick for any network."""

from __future__ import annotations

from gantrain.networks.layers import spectrally_normalise
from gantrain.tricks.base import Trick
from gantrain.tricks.interface import GameInterface


class SpectralNorm(Trick):
    """Every layer of the discriminators has spectral norm 1 (Miyato et al. 2018).

    Args:
        generator: the generators' layers too (Zhang et al. 2018).
    """

    def __init__(self, generator: bool = False) -> None:
        super().__init__()
        self.generator = generator

    def setup(self, game: GameInterface) -> None:
        for name in (*game.discriminators, *(game.generators if self.generator else ())):
            spectrally_normalise(game.get_submodule(name))
