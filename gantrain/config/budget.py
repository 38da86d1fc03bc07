"""The time that a run may take, in the user's words."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from gantrain.errors import UserError

MINUTES = {"s": 1 / 60, "m": 1.0, "h": 60.0, "d": 1440.0}
LENGTHS = ("trainer.steps", "trainer.minutes")
"""Settings that say how long a run is."""
DEBUG = ("debug", "debug.dry", "debug.overfit")
RECIPE = ("experiment", "model", "networks", "loss", "optimizer", "tricks", "init_from")
"""Groups, and a setting, that make up a recipe: who names one of them has chosen his own."""
INSIDE = ("model", "loss", "optimizer", "tricks")
"""Groups of which each single setting belongs to a recipe."""


def minutes_of(budget: str) -> float:
    """The minutes that `5m`, `30m`, `1.5h` or `1d` says.

    Raises:
        UserError: it says no time.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", budget)
    if not found or not float(found[1]):
        raise UserError(f"budget={budget} says no time: give a number with its unit, s, m, h or d, as in budget=30m")
    return float(found[1]) * MINUTES[found[2]]


def left_to_budget(budget: str | None, named: Collection[str]) -> str | None:
    """The budget that decides a run's length; None where the length is said otherwise.

    Args:
        named: the settings and groups that the command line names.

    Raises:
        UserError: the command line gives both a budget and a length.
    """
    if budget is None:
        return None
    length = next((key for key in LENGTHS if key in named), None)
    if budget != "auto":
        minutes_of(budget)
        if length:
            raise UserError(f"budget={budget} works out how long to train: leave out {length}, or leave out budget")
        return budget
    said = length or next((key for key in ("trainer", "experiment", *DEBUG) if key in named), None)
    return None if said else budget


def has_minutes_of_budget(budget: str | None, words: Sequence[str]) -> bool:
    """Whether the minutes of a run were set by its budget, whose words for the length stand side by side.

    Args:
        words: the overrides that the run keeps.
    """
    keys = [word.partition("=")[0] for word in words]
    return budget is not None and LENGTHS in pairwise(keys)


def names_recipe(named: Collection[str]) -> bool:
    """Whether the command line chooses what is trained, which a budget then leaves as it is."""
    return any(key.partition("@")[0] in RECIPE or re.split(r"[./]", key)[0] in INSIDE for key in named)
