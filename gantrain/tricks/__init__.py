"""What helps: small classes hooked into the few places that a trick may touch."""

from gantrain.tricks.ada import ADA
from gantrain.tricks.base import Trick
from gantrain.tricks.consistency import Consistency
from gantrain.tricks.diffaugment import DiffAugment
from gantrain.tricks.early_stopping import EarlyStopping
from gantrain.tricks.ema import EMA
from gantrain.tricks.experience_replay import ExperienceReplay
from gantrain.tricks.feature_matching import FeatureMatching
from gantrain.tricks.gradient_clipping import GradientClipping
from gantrain.tricks.historical_averaging import HistoricalAveraging
from gantrain.tricks.instance_noise import InstanceNoise
from gantrain.tricks.interface import RunPlan, TurnContext
from gantrain.tricks.label_flipping import LabelFlipping
from gantrain.tricks.label_smoothing import LabelSmoothing
from gantrain.tricks.lecam import LeCam
from gantrain.tricks.minibatch_discrimination import MinibatchDiscrimination
from gantrain.tricks.minibatch_stddev import MinibatchStddev
from gantrain.tricks.mode_seeking import ModeSeeking
from gantrain.tricks.orthogonal import Orthogonal
from gantrain.tricks.packing import Packing
from gantrain.tricks.reconstruction import Reconstruction
from gantrain.tricks.spectral_norm import SpectralNorm
from gantrain.tricks.topk import TopK
from gantrain.tricks.unrolled import Unrolled
from gantrain.tricks.virtual_batch_norm import VirtualBatchNorm
from gantrain.tricks.weight_clipping import WeightClipping
from gantrain.tricks.weight_regularisation import WeightRegularisation

__all__ = [
    "ADA",
    "EMA",
    "Consistency",
    "DiffAugment",
    "EarlyStopping",
    "ExperienceReplay",
    "FeatureMatching",
    "GradientClipping",
    "HistoricalAveraging",
    "InstanceNoise",
    "LabelFlipping",
    "LabelSmoothing",
    "LeCam",
    "MinibatchDiscrimination",
    "MinibatchStddev",
    "ModeSeeking",
    "Orthogonal",
    "Packing",
    "Reconstruction",
    "RunPlan",
    "SpectralNorm",
    "TopK",
    "Trick",
    "TurnContext",
    "Unrolled",
    "VirtualBatchNorm",
    "WeightClipping",
    "WeightRegularisation",
]
