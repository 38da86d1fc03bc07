"""What is real: sources of data, packed once and then served from the device."""

from gantrain.data.array import Array
from gantrain.data.augment import Augment
from gantrain.data.batches import Batches, to_pixels
from gantrain.data.digits import Digits
from gantrain.data.folders import CelebA, ImageFolder
from gantrain.data.identity import identity_of
from gantrain.data.source import DataContext, Source
from gantrain.data.toy import Gaussian1d, GaussianMixture, Grid, KnownDistribution, Ring
from gantrain.data.vision import Cifar10, FashionMnist, Mnist, StackedMnist

__all__ = [
    "Array",
    "Augment",
    "Batches",
    "CelebA",
    "Cifar10",
    "DataContext",
    "Digits",
    "FashionMnist",
    "Gaussian1d",
    "GaussianMixture",
    "Grid",
    "ImageFolder",
    "KnownDistribution",
    "Mnist",
    "Ring",
    "Source",
    "StackedMnist",
    "identity_of",
    "to_pixels",
]
