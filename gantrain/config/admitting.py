"""Which classes a config may name: it may be a stranger's, so nothing is imported for what is not on the list."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from types import ModuleType
from typing import Any

from gantrain.config.words import nearest
from gantrain.errors import UserError

CONFIGURED = {
    "gantrain.data": ("Source", "Augment"),
    "gantrain.games": ("Game",),
    "gantrain.losses": ("AdversarialLoss", "Penalty", "Objective"),
    "gantrain.metrics": ("Metric", "FeatureSpace"),
    "gantrain.networks": ("Generator", "Discriminator", "Noise", "TextEncoder"),
    "gantrain.schedules": ("Schedule",),
    "gantrain.training.schedules": ("Schedule",),  # as configs of earlier runs call them
    "gantrain.tricks": ("Trick",),
}
"""Where gantrain's own classes are named, and of which kinds they are there: these and what derives from them."""
OPTIMIZERS = frozenset(
    f"torch.optim.{name}"
    for name in ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")
)
"""All of PyTorch that may be named."""


def trusted() -> list[str]:
    """Packages whose classes a config may name: GANTRAIN_TRUST, split at commas. Set by --trust too."""
    return [name for name in os.environ.get("GANTRAIN_TRUST", "").split(",") if name]


def locate(target: Any, path: str) -> type:
    """The class that a `_target_` names; nothing is imported for one that is not admitted.

    Raises:
        UserError: it is not to be trusted, not there, or no class that is meant to be configured.
    """
    if not isinstance(target, str):
        raise UserError(f"{path}._target_ must name a class, got {target!r}")
    module_name, _, name = target.rpartition(".")
    if not module_name:
        raise UserError(f"{path}._target_={target} names no class: write package.Class")
    package = target.partition(".")[0]
    by_the_user = package in trusted()
    if not by_the_user and package == "gantrain" and module_name not in CONFIGURED:
        raise UserError(
            f"{path}._target_={target} is no class that a config may build: those of gantrain are named as in "
            f"{', '.join(module for module in CONFIGURED if module.count('.') == 1)}, then .Class"
        )
    if not by_the_user and package != "gantrain" and target not in OPTIMIZERS:
        raise UserError(
            f"{path}._target_={target} is not a class of gantrain: if you trust the package, add --trust={package} "
            f"or set GANTRAIN_TRUST={package}"
        )
    if by_the_user and "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a console script does not look into the current folder by itself
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UserError(f"{path}._target_={target}: {error}") from error
    found = getattr(module, name, None)
    if found is None:
        raise UserError(f"{path}._target_={target} does not exist{nearest(name, dir(module))}")
    if not inspect.isclass(found) or not _is_meant(found, module, by_the_user):
        raise UserError(f"{path}._target_={target} is no class that a config may build")
    return found


def _is_meant(found: type, module: ModuleType, by_the_user: bool) -> bool:
    """Whether a class that stands in this module may be named there."""
    if by_the_user:  # what the package merely imports, such as pathlib.Path, is not what the user spoke of
        return found.__module__.partition(".")[0] in trusted()
    kinds = CONFIGURED.get(module.__name__)
    return kinds is None or issubclass(found, tuple(getattr(module, kind) for kind in kinds))
