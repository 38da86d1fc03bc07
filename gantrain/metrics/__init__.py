"""How good it is: distances to distributions that are known exactly, coverage of modes, errors of classifiers."""

from gantrain.metrics.base import Metric, evaluate
from gantrain.metrics.classifiers import CodeError, TestError
from gantrain.metrics.evaluation import Evaluation, RealData
from gantrain.metrics.gaussian import KL, JSDivergence, Moments, OptimalDiscriminator, Wasserstein1
from gantrain.metrics.modes import Modes, StackedModes

__all__ = [
    "KL",
    "CodeError",
    "Evaluation",
    "JSDivergence",
    "Metric",
    "Modes",
    "Moments",
    "OptimalDiscriminator",
    "RealData",
    "StackedModes",
    "TestError",
    "Wasserstein1",
    "evaluate",
]
