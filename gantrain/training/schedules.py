"""The schedules by the names under which configs of earlier runs, and classes of users, know them."""

from gantrain.schedules import Constant, Cosine, Exponential, Geometric, Linear
from gantrain.schedules import RateSchedule as Schedule

__all__ = ["Constant", "Cosine", "Exponential", "Geometric", "Linear", "Schedule"]
