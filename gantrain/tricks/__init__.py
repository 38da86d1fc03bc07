"""What helps: small classes hooked into the few places that a trick may touch."""

from gantrain.tricks.base import Context, Seen, Trick
from gantrain.tricks.ema import EMA
from gantrain.tricks.gradient_clipping import GradientClipping
from gantrain.tricks.label_smoothing import LabelSmoothing
from gantrain.tricks.minibatch_discrimination import MinibatchDiscrimination
from gantrain.tricks.spectral_norm import SpectralNorm
from gantrain.tricks.weight_clipping import WeightClipping

__all__ = [
    "EMA",
    "Context",
    "GradientClipping",
    "LabelSmoothing",
    "MinibatchDiscrimination",
    "Seen",
    "SpectralNorm",
    "Trick",
    "WeightClipping",
]
