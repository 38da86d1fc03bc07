"""Who plays whom: players, turns and loss terms."""

from gantrain.games.acgan import AuxiliaryClassifier
from gantrain.games.base import Batch, Draw, Game, Request, Turn
from gantrain.games.bigan import BiGAN
from gantrain.games.conditional import Conditional
from gantrain.games.gman import GMAN
from gantrain.games.infogan import InfoGAN
from gantrain.games.madgan import MADGAN
from gantrain.games.sgan import SemiSupervised
from gantrain.games.standard import Standard
from gantrain.games.triplegan import TripleGAN

__all__ = [
    "GMAN",
    "MADGAN",
    "AuxiliaryClassifier",
    "Batch",
    "BiGAN",
    "Conditional",
    "Draw",
    "Game",
    "InfoGAN",
    "Request",
    "SemiSupervised",
    "Standard",
    "TripleGAN",
    "Turn",
]
