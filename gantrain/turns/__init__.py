"""What losses, tricks and games share about a turn."""

from gantrain.turns.samples import Shown

__all__ = ["Shown"]
