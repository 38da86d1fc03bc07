"""What losses, tricks and games share about a turn."""

from gantrain.turns.batch import Batch, DrawBatch, Turn, TurnPlan
from gantrain.turns.players import Player, Role
from gantrain.turns.samples import Comparison, LossInputs, Samples, Scores

__all__ = [
    "Batch",
    "Comparison",
    "DrawBatch",
    "LossInputs",
    "Player",
    "Role",
    "Samples",
    "Scores",
    "Turn",
    "TurnPlan",
]
