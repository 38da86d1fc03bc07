"""Who plays whom: players, turns and loss terms."""

from gantrain.games.acgan import AuxiliaryClassifier
from gantrain.games.adversarial import Adversarial
from gantrain.games.base import Game, Request
from gantrain.games.bigan import BiGAN
from gantrain.games.conditional import Conditional
from gantrain.games.gman import GMAN
from gantrain.games.infogan import InfoGAN
from gantrain.games.madgan import MADGAN
from gantrain.games.sampler import Sampler
from gantrain.games.sgan import SemiSupervised
from gantrain.games.standard import Standard
from gantrain.games.triplegan import TripleGAN

__all__ = [
    "GMAN",
    "MADGAN",
    "Adversarial",
    "AuxiliaryClassifier",
    "BiGAN",
    "Conditional",
    "Game",
    "InfoGAN",
    "Request",
    "Sampler",
    "SemiSupervised",
    "Standard",
    "TripleGAN",
]
