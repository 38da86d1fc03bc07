"""Who plays whom: players, turns and loss terms."""

from gantrain.games.acgan import AuxiliaryClassifier
from gantrain.games.adversarial import Adversarial
from gantrain.games.base import Game, Request
from gantrain.games.bigan import BiGAN
from gantrain.games.cogan import CoGAN
from gantrain.games.conditional import Conditional
from gantrain.games.cyclegan import CycleGAN
from gantrain.games.gman import GMAN
from gantrain.games.infogan import InfoGAN
from gantrain.games.lapgan import LAPGAN
from gantrain.games.madgan import MADGAN
from gantrain.games.pix2pix import Pix2Pix
from gantrain.games.progan import ProGAN
from gantrain.games.sampler import Sampler
from gantrain.games.sgan import SemiSupervised
from gantrain.games.standard import Standard
from gantrain.games.text2image import TextToImage
from gantrain.games.triplegan import TripleGAN

__all__ = [
    "GMAN",
    "LAPGAN",
    "MADGAN",
    "Adversarial",
    "AuxiliaryClassifier",
    "BiGAN",
    "CoGAN",
    "Conditional",
    "CycleGAN",
    "Game",
    "InfoGAN",
    "Pix2Pix",
    "ProGAN",
    "Request",
    "Sampler",
    "SemiSupervised",
    "Standard",
    "TextToImage",
    "TripleGAN",
]
