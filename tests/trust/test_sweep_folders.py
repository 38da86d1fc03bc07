"""A stranger's sweep chooses neither what is read nor what is trusted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from conftest import Command
from strangers import GLOBAL, SMALL, lay


def test_a_sweeps_file_chooses_no_folder_of_configs(gantrain: Command, tmp_path: Path) -> None:
    """Such as one in which another program keeps a token, that would stand in the jobs' configs."""
    lay(tmp_path / "private", {"accounts/mine": "token: a-secret\n"})
    (tmp_path / "sweep").mkdir()
    words = [*SMALL, "seed=0,1", "+accounts@metrics.known.it=mine"]
    plan = {"overrides": words, "config_dir": str(tmp_path / "private"), "config_name": "train"}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(plan))
    done = gantrain("run=sweep")
    assert done.returncode == 2
    assert f"add --config-dir {tmp_path / 'private'}, if that is yours" in done.stderr
    assert [file.name for file in (tmp_path / "sweep").iterdir()] == ["sweep.json"]
    assert gantrain("run=sweep", "--config-dir", "own").returncode == 2


def test_a_sweep_with_configs_of_ones_own_is_finished_with_them(gantrain: Command, tmp_path: Path) -> None:
    lay(tmp_path / "own", {"experiment/x": f"{GLOBAL}seed: 3\n"})
    swept = ("loss=nonsaturating,hinge", "tricks=[label_smoothing]")  # hinge has no labels, and fails
    begun = gantrain("--config-dir", "own", "-m", "experiment=x", "name=a", *SMALL, *swept)
    assert begun.returncode == 1
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    assert f"finish  gantrain run={sweep.relative_to(tmp_path)} --config-dir {tmp_path / 'own'}" in begun.stdout
    (job,) = sweep.glob("000-*")
    shutil.rmtree(job)
    assert gantrain(f"run={sweep}", "--config-dir", "own").returncode == 1
    assert "seed: 3" in (job / "config.yaml").read_text()
