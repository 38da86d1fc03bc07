"""How good it is: distances to distributions that are known exactly, and coverage of modes."""

from gantrain.metrics.base import Evaluation, Metric, evaluate
from gantrain.metrics.gaussian import KL, JSDivergence, Moments, OptimalDiscriminator, Wasserstein1
from gantrain.metrics.modes import Modes

__all__ = [
    "KL",
    "Evaluation",
    "JSDivergence",
    "Metric",
    "Modes",
    "Moments",
    "OptimalDiscriminator",
    "Wasserstein1",
    "evaluate",
]
