"""Where data sets lie and where runs go."""

from __future__ import annotations

import os
from pathlib import Path

from omegaconf import DictConfig

from gantrain.errors import UserError


def data_folder(cfg: DictConfig) -> Path:
    """Where data sets lie: `data_dir`, else `GANTRAIN_DATA`, else ./data."""
    return Path(cfg.data_dir or os.environ.get("GANTRAIN_DATA") or "data").expanduser()


def check_place(cfg: DictConfig) -> None:
    """Whether the run can be written where it belongs.

    Raises:
        UserError: it cannot.
    """
    name = Path(str(cfg.name))
    if name.is_absolute() or ".." in name.parts or not name.parts or "\0" in str(name):
        raise UserError(f"name={name} leads out of the outputs folder: choose one such as my_run or mine/first")
    folder = Path(str(cfg.outputs_dir)).expanduser() / name
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"runs cannot go to {folder}: {there} is no folder that can be written to, set outputs_dir=…")
