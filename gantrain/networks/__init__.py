"""What learns: generators, discriminators and the layers they share."""

from gantrain.networks.biggan import BigGANDiscriminator, BigGANGenerator
from gantrain.networks.cogan import CoGANDiscriminator, CoGANGenerator
from gantrain.networks.conditioning import Conditioned, Sequential
from gantrain.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from gantrain.networks.fastgan import FastGANDiscriminator, FastGANGenerator
from gantrain.networks.infogan import InfoGANDiscriminator, InfoGANGenerator
from gantrain.networks.lapgan import DetailDiscriminator, DetailGenerator
from gantrain.networks.mlp import MLPDiscriminator, MLPGenerator
from gantrain.networks.network import Discriminator, Generator
from gantrain.networks.noise import Noise
from gantrain.networks.patchgan import PatchGANDiscriminator
from gantrain.networks.pooled import PooledDiscriminator
from gantrain.networks.progan import ProGANDiscriminator, ProGANGenerator
from gantrain.networks.r3gan import R3GANDiscriminator, R3GANGenerator
from gantrain.networks.resnet import ResNetDiscriminator, ResNetGenerator
from gantrain.networks.text import TextEncoder
from gantrain.networks.translation import ResNetTranslator
from gantrain.networks.translator import Translator
from gantrain.networks.unet import UNetGenerator
from gantrain.networks.wavegan import WaveGANDiscriminator, WaveGANGenerator

__all__ = [
    "BigGANDiscriminator",
    "BigGANGenerator",
    "CoGANDiscriminator",
    "CoGANGenerator",
    "Conditioned",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DetailDiscriminator",
    "DetailGenerator",
    "Discriminator",
    "FastGANDiscriminator",
    "FastGANGenerator",
    "Generator",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "Noise",
    "PatchGANDiscriminator",
    "PooledDiscriminator",
    "ProGANDiscriminator",
    "ProGANGenerator",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "ResNetDiscriminator",
    "ResNetGenerator",
    "ResNetTranslator",
    "Sequential",
    "TextEncoder",
    "Translator",
    "UNetGenerator",
    "WaveGANDiscriminator",
    "WaveGANGenerator",
]
