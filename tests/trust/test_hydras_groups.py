"""Of what belongs to Hydra itself, no file of a config folder sets anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Command
from strangers import GLOBAL, SMALL, lay, set_traps

NOW = "{_target_: touching.Now}"
SLOW = pytest.mark.slow
SETTINGS = {
    "launcher": f"launcher: {NOW}",
    "sweeper": f"sweeper: {NOW}",
    "callbacks": f"callbacks: {{x: {NOW}}}",
    "folder of a run": "run: {dir: touched}",
    "folder of a sweep": "sweep: {dir: touched}",
    "folder of a job": "sweep: {subdir: ../../touched}",
    "folder of its own": "output_subdir: touched",
    "environment": "job: {env_set: {GANTRAIN_TRUST: touching}}",
    "environment of others": "job: {env_copy: [A_SECRET]}",
    "current folder": "job: {chdir: true}",
    "search path": "searchpath: ['file:///']",
    "help": "help: {template: '${oc.env:A_SECRET}'}",
    "words": "overrides: {task: ['model._target_=touching.Now']}",
    "mode": "mode: MULTIRUN",
}
GROUPS = ("launcher", "sweeper", "job_logging", "hydra_logging", "env", "help")
CHOICES = {f"another {group}": group for group in GROUPS}
QUICK = ("launcher", "environment", "another sweeper")


def _marked(names: list[str]) -> list[object]:
    return [name if name in QUICK else pytest.param(name, marks=SLOW) for name in names]


@pytest.mark.parametrize("what", _marked([*SETTINGS, *CHOICES]))
def test_no_file_sets_it(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    trace = set_traps(tmp_path, monkeypatch)
    if what in SETTINGS:
        lay(tmp_path / "own", {"experiment/x": f"{GLOBAL}hydra:\n  {SETTINGS[what]}\n"})
    else:
        group = CHOICES[what]
        lay(tmp_path / "own", {f"hydra/{group}/x": f"x: {NOW}\n"})
        lay(tmp_path / "own", {"experiment/x": f"{GLOBAL}defaults:\n  - override /hydra/{group}: x\n"})
    for more in ([], ["-m", "seed=0,1"]):
        done = gantrain("--config-dir", "own", "experiment=x", *SMALL, *more)
        assert done.returncode == 2, done.stdout
        assert len(done.stderr.splitlines()) == 1
    assert not trace.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "touching.py"]
