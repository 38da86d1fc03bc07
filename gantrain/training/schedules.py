"""The schedules by the names under which the configs of earlier runs know them."""

from gantrain.schedules import Constant, Cosine, Exponential, Geometric, Linear

__all__ = ["Constant", "Cosine", "Exponential", "Geometric", "Linear"]
