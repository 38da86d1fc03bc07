"""What they fight for: value functions on logits and gradient penalties."""

from gantrain.losses.adversarial import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPaired,
    TargetLoss,
    Wasserstein,
)
from gantrain.losses.objective import Objective
from gantrain.losses.penalties import R1, R2, Dragan, Drift, Forward, GradientPenalty, Penalty

__all__ = [
    "R1",
    "R2",
    "AdversarialLoss",
    "Dragan",
    "Drift",
    "Forward",
    "GradientPenalty",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Penalty",
    "RelativisticAverage",
    "RelativisticPaired",
    "TargetLoss",
    "Wasserstein",
]
