"""Runs with their first weights, and what may be asked of them."""

from __future__ import annotations

from pathlib import Path

from conftest import CPU, config
from omegaconf import DictConfig, OmegaConf

from gantrain.commands.assembly import build_game
from gantrain.commands.trained import TrainedRun
from gantrain.config import SampleRequest
from gantrain.runs import RunFolder
from gantrain.training.machine import Machine


def untrained(folder: Path, *words: str) -> TrainedRun:
    """A run with its first weights."""
    cfg = config(*words)
    return TrainedRun(cfg, build_game(cfg), Machine(CPU), {}, 0, RunFolder(folder))


def asked(**settings: object) -> DictConfig:
    """What `gantrain sample` is asked for, by default but for these."""
    found = OmegaConf.merge(OmegaConf.structured(SampleRequest), settings)
    assert isinstance(found, DictConfig)
    return found
