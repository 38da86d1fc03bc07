"""`gantrain -m`: many runs under one folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

from conftest import Command


def test_a_sweep_runs_all_and_names_what_failed(gantrain: Command, tmp_path: Path) -> None:
    words = [
        "dataset=ring8",
        "metrics=modes",
        "trainer.steps=4",
        "-m",
        "loss=nonsaturating,hinge",
        "tricks=[label_smoothing]",
        "seed=0,1",
    ]
    done = gantrain(*words)
    assert done.returncode == 1, done.stderr
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    assert [f.name for f in sorted(sweep.iterdir()) if f.is_dir()] == ["000", "001", "002", "003"]
    table = (sweep / "summary.csv").read_text().splitlines()
    assert len(table) == 5
    assert "modes" in table[0]
    assert [("finished" in row, "failed" in row) for row in table[1:]] == [(True, False)] * 2 + [(False, True)] * 2
    assert "failed: 002" in done.stdout
    failed = json.loads((sweep / "002" / "status.json").read_text())
    assert failed["status"] == "failed"
    assert f"failed: 002: {failed['reason']}\n" in done.stdout
    again = gantrain(f"run={sweep}")
    assert again.returncode == 1
    assert len(re.findall(r"^job 00\d:", again.stdout, re.MULTILINE)) == 2, "finished jobs are not run again"


def test_a_sweep_that_cannot_start_writes_nothing(gantrain: Command, tmp_path: Path) -> None:
    refused = gantrain("-m", "loss=hinge,wgann", "seed=0,1")
    assert refused.returncode == 2
    assert "did you mean wgan" in refused.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_job_says_by_which_line_and_which_words_it_was_begun(gantrain: Command, tmp_path: Path) -> None:
    words = ["dataset=ring8", "trainer.steps=1", "metrics.use=[]", "name=two words", "seed=3,4"]
    assert gantrain("-m", *words).returncode == 0
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    said = json.loads((sweep / "001" / "status.json").read_text())
    assert (said["status"], said["reason"]) == ("finished", None)
    line, job = said["command"].split("  # ")
    assert line == "gantrain -m dataset=ring8 trainer.steps=1 'metrics.use=[]' 'name=two words' seed=3,4"
    assert job.startswith("001: dataset=ring8 trainer.steps=1 ")
    assert job.endswith(" seed=4")
