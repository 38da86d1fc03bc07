"""What is real: sources of data, packed once and then served from the device."""

from gantrain.data.array import Array
from gantrain.data.augment import Augment
from gantrain.data.batches import Batches, to_pixels
from gantrain.data.digit_domains import DigitsDomains, MnistDomains
from gantrain.data.digit_pairs import DigitsPairs
from gantrain.data.digits import Digits
from gantrain.data.digits_captions import DigitsCaptions
from gantrain.data.domains import TwoDomains
from gantrain.data.folders import CelebA, ImageFolder
from gantrain.data.identity import identity_of
from gantrain.data.notes import Notes
from gantrain.data.paired import PairedFolder
from gantrain.data.sound_folder import SoundFolder
from gantrain.data.source import DataContext, Source
from gantrain.data.toy import Gaussian1d, GaussianMixture, Grid, KnownDistribution, Ring
from gantrain.data.unpaired import UnpairedFolders
from gantrain.data.vision import Cifar10, FashionMnist, Mnist, StackedMnist

__all__ = [
    "Array",
    "Augment",
    "Batches",
    "CelebA",
    "Cifar10",
    "DataContext",
    "Digits",
    "DigitsCaptions",
    "DigitsDomains",
    "DigitsPairs",
    "FashionMnist",
    "Gaussian1d",
    "GaussianMixture",
    "Grid",
    "ImageFolder",
    "KnownDistribution",
    "Mnist",
    "MnistDomains",
    "Notes",
    "PairedFolder",
    "Ring",
    "SoundFolder",
    "Source",
    "StackedMnist",
    "TwoDomains",
    "UnpairedFolders",
    "identity_of",
    "to_pixels",
]
