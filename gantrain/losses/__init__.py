"""What they fight for: value functions on logits and gradient penalties."""

from gantrain.losses.adversarial import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticPaired,
    TargetLoss,
    Wasserstein,
)
from gantrain.losses.objective import Objective
from gantrain.losses.penalties import R1, R2, GradientPenalty, Penalty

__all__ = [
    "R1",
    "R2",
    "AdversarialLoss",
    "GradientPenalty",
    "Hinge",
    "LeastSquares",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Penalty",
    "RelativisticPaired",
    "TargetLoss",
    "Wasserstein",
]
