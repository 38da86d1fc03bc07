"""A sweep in which jobs fail and whose process is killed: what is whole stays, and only what is missing is run."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

import pytest
from killing import forked, killed_at

from gantrain.runs import SweepFolder

SMALL = ["dataset=ring8", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]", "trainer.batch_size=8"]
SMALL += ["trainer.steps=3", "metrics=modes", "log.sinks=[]", "log.samples_every=9", "name=it"]
LEARNT, SEEDS = "1e-4,2e-4,3e-4,4e-4,5e-4,6e-4,7e-4,1e30", "0,1,2,3,4"
JOBS, FAILED, KILLED = 40, 5, 17


def stands(sweep: SweepFolder) -> dict[str, str | None]:
    return {job.path.name: job.status.standing() for job in sweep.jobs()}


@pytest.mark.slow
def test_forty_jobs_of_which_five_fail_and_one_is_killed(tmp_path: Path) -> None:
    """By -9 between its last checkpoint and its last evaluation; then two processes finish the sweep at once."""
    words = ["-m", *SMALL, f"optimizer.lr={LEARNT}", f"seed={SEEDS}"]
    code = killed_at("step_00000003.pt", KILLED, "after", *words, cwd=tmp_path)
    assert code == -signal.SIGKILL
    (folder,) = tmp_path.glob("outputs/sweeps/*/*")
    sweep = SweepFolder(folder)
    assert list(stands(sweep).values()) == ["finished"] * (KILLED // 2) + ["died"], (tmp_path / "said").read_text()
    whole = {file: file.stat().st_mtime_ns for job in sweep.jobs()[:-1] for file in job.path.rglob("*.pt")}

    both = [forked(f"run={folder}", cwd=tmp_path) for _ in range(2)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in both]
    said = (tmp_path / "said").read_text()
    assert set(codes) <= {0, 1}, said
    assert whole == {file: file.stat().st_mtime_ns for file in whole}, "what is whole is not run again"
    standing = stands(sweep)
    assert len(standing) == JOBS
    assert list(standing.values()).count("finished") == JOBS - FAILED, standing
    assert {name for name, how in standing.items() if how == "failed"} == {
        name for name in standing if "1e30" in name or "1e+30" in name
    }
    table = list(csv.DictReader(sweep.table.open()))
    assert len(table) == JOBS
    assert sum(row["status"] == "finished" and bool(row["modes"]) for row in table) == JOBS - FAILED
    for job in sweep.jobs():
        evaluated = [line["step"] for line in job.numbers.read() if "metrics/modes" in line]
        assert evaluated == ([3] if standing[job.path.name] == "finished" else []), job.path
