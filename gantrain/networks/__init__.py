"""What learns: generators, discriminators and the layers they share."""

from gantrain.networks.conditioning import Conditioned, Sequential
from gantrain.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gantrain.networks.fastgan import FastGANDiscriminator, FastGANGenerator
from gantrain.networks.infogan import InfoGANDiscriminator, InfoGANGenerator
from gantrain.networks.mlp import MLPDiscriminator, MLPGenerator
from gantrain.networks.network import Discriminator, Generator
from gantrain.networks.noise import Noise
from gantrain.networks.pooled import PooledDiscriminator
from gantrain.networks.resnet import ResNetDiscriminator, ResNetGenerator

__all__ = [
    "Conditioned",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Discriminator",
    "FastGANDiscriminator",
    "FastGANGenerator",
    "Generator",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "Noise",
    "PooledDiscriminator",
    "ResNetDiscriminator",
    "ResNetGenerator",
    "Sequential",
]
