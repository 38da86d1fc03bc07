"""How good it is: distances to known distributions and between features, coverage of modes, errors of classifiers."""

from gantrain.metrics.as_asked import AsAsked
from gantrain.metrics.base import Metric, evaluate, protocols
from gantrain.metrics.class_balance import ClassBalance
from gantrain.metrics.classifier_space import ClassifierFeatures
from gantrain.metrics.classifiers import CodeError, TestError
from gantrain.metrics.discriminator_space import DiscriminatorFeatures
from gantrain.metrics.distances import FID, KID, MIND
from gantrain.metrics.diversity import Diversity, Vendi
from gantrain.metrics.domains import CycleError, SameClass
from gantrain.metrics.duality import DualityGap
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.feature_metric import FeatureMetric
from gantrain.metrics.features import Features, FeatureSpace, Pixels, Values
from gantrain.metrics.gaussian import KL, JSDivergence, Moments, OptimalDiscriminator, Wasserstein1
from gantrain.metrics.inception_score import InceptionScore
from gantrain.metrics.memorised import Memorised
from gantrain.metrics.modes import Modes, StackedModes
from gantrain.metrics.neighbours import DensityCoverage, PrecisionRecall
from gantrain.metrics.parzen import Parzen
from gantrain.metrics.pitch import Pitch
from gantrain.metrics.pretrained import Clip, DinoV2, Inception, Pretrained
from gantrain.metrics.probes import Downstream, LinearProbe
from gantrain.metrics.protocol import Protocol
from gantrain.metrics.spectrogram import Spectrogram
from gantrain.metrics.spectrum import SpectrumError
from gantrain.metrics.translation import TranslationError

__all__ = [
    "FID",
    "KID",
    "KL",
    "MIND",
    "AsAsked",
    "ClassBalance",
    "ClassifierFeatures",
    "Clip",
    "CodeError",
    "CycleError",
    "DensityCoverage",
    "DinoV2",
    "DiscriminatorFeatures",
    "Diversity",
    "Downstream",
    "DualityGap",
    "Evaluation",
    "FeatureMetric",
    "FeatureSpace",
    "Features",
    "Inception",
    "InceptionScore",
    "JSDivergence",
    "LinearProbe",
    "Memorised",
    "Metric",
    "Modes",
    "Moments",
    "OptimalDiscriminator",
    "Parzen",
    "Pitch",
    "Pixels",
    "PrecisionRecall",
    "Pretrained",
    "Protocol",
    "RealData",
    "SameClass",
    "Spectrogram",
    "SpectrumError",
    "StackedModes",
    "TestError",
    "TranslationError",
    "Values",
    "Vendi",
    "Wasserstein1",
    "evaluate",
    "protocols",
]
