"""Spectral normalisation as a trick for any network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gantrain.networks.layers import spectrally_normalise
from gantrain.tricks.base import Trick

if TYPE_CHECKING:
    from gantrain.games.base import Game


class SpectralNorm(Trick):
    """Every layer of the discriminators has spectral norm 1 (Miyato et al. 2018).

    Args:
        generator: the generators' layers too (Zhang et al. 2018).
    """

    def __init__(self, generator: bool = False) -> None:
        super().__init__()
        self.generator = generator

    def setup(self, game: Game) -> None:
        for name in (*game.discriminators, *(game.generators if self.generator else ())):
            spectrally_normalise(game.get_submodule(name))
