"""What a stranger sends: payloads that would leave a trace or copy a secret, and ways to put them into files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import only_run
from omegaconf import DictConfig, OmegaConf

from gantrain.cli import main

SECRET = "a-secret-of-the-environment"
SHORT = ["trainer.steps=1", "trainer.batch_size=8", "trainer.device=cpu"]
SMALL = [*SHORT, "dataset=ring8", "metrics.use=[]", "model.generator.hidden=[4]", "model.discriminator.hidden=[4]"]
GLOBAL = "# @package _global_\n"

PLACES = (
    *("dataset", "+dataset.augment", "model", "model.generator", "+model.generator.noise", "model.discriminator"),
    *("loss.adversarial", "+loss.penalties.x", "+loss.tricks.x", "+tricks.x", "optimizer.generator"),
    *("+optimizer.schedule", "optimizer.generator.lr", "+metrics.known.x", "+metrics.spaces.x"),
)
"""Where a config names classes, or would take one."""


def lay(folder: Path, files: dict[str, str]) -> None:
    """Writes YAML files by their names."""
    for name, text in files.items():
        file = folder / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def with_payload(text: str, place: str, payload: Any) -> str:
    """A run's config with a payload in one place."""
    cfg = OmegaConf.create(text)
    assert isinstance(cfg, DictConfig)
    OmegaConf.update(cfg, place.lstrip("+"), payload, merge=False, force_add=True)
    return OmegaConf.to_yaml(cfg)


def train(folder: Path, *words: str) -> Path:
    """An honest run below a folder."""
    assert main([*SMALL, f"outputs_dir={folder}", *words]) == 0
    return only_run(folder)


def state_of(run: Path) -> dict[str, Any]:
    """What the checkpoint of a run holds."""
    (file,) = (run / "checkpoints").glob("step_*.pt")
    return dict(torch.load(file, weights_only=True))


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def set_traps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `touching` in this folder, a secret in the environment; returns the file that an import leaves."""
    touched = folder / "touched"
    (folder / "touching.py").write_text(f"open({str(touched)!r}, 'w')\n\n\nclass Now:\n    pass\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delenv("GANTRAIN_TRUST", raising=False)
    monkeypatch.setenv("A_SECRET", SECRET)
    return touched
