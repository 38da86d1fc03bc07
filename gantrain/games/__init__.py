"""Who plays whom: players, turns and loss terms."""

from gantrain.games.base import Batch, Game, Request, Turn
from gantrain.games.standard import Standard

__all__ = ["Batch", "Game", "Request", "Standard", "Turn"]
