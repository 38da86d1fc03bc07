"""`gantrain report`, and the report with which every run and sweep ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Command, only_run

from gantrain.commands import report as report_module
from gantrain.runs import RunFolder

SHORT = ["dataset=ring8", "trainer.steps=2", "log.every=1", "metrics.use=[]"]

pytestmark = pytest.mark.usefixtures("plain_pictures")


def test_a_run_ends_with_its_report_and_it_can_be_made_again(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain(*SHORT, "name=it's a <b>")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert f"report  {run.relative_to(tmp_path)}/report.html" in done.stdout
    first = (run / "report.html").read_text()
    assert "memory/peak_gib" in (run / "metrics.jsonl").read_text()
    assert "GiB at most" in first
    (run / "report.html").unlink()
    made = gantrain("report", f"runs={run}")
    assert made.returncode == 0, made.stderr
    assert "MB)" in made.stdout
    assert (run / "report.html").read_text() == first
    assert gantrain("report", f"runs={run}", "out=new/place.html").returncode == 0
    assert (tmp_path / "new" / "place.html").read_text() == first


def test_a_run_that_fails_ends_with_its_report_too(gantrain: Command, tmp_path: Path) -> None:
    words = ["loss=lsgan", "optimizer=sgd", "optimizer.lr=3", "trainer.steps=200", "checkpoint.every=1"]
    failed = gantrain(*SHORT, *words)
    run = only_run(tmp_path)
    assert failed.returncode == 1
    reason = RunFolder(run).status.read().reason
    assert reason
    assert reason.split(":")[0] in (run / "report.html").read_text()


def test_a_report_that_fails_ends_nothing(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: RunFolder, bands: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(report_module, "write_run_report", fail)
    done = gantrain(*SHORT)
    assert done.returncode == 0, done.stderr
    assert "the report could not be written (OSError: the disk is full)" in done.stdout


def test_a_sweep_ends_with_its_report(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain("-m", *SHORT, "loss=r1,hinge", "tricks=[label_smoothing]", "trainer.batch_size=8")
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    assert f"report  {sweep.relative_to(tmp_path)}/report.html" in done.stdout
    text = (sweep / "report.html").read_text()
    assert "2 runs: 1 finished, 1 failed" in text
    assert "001-hinge failed: " in text
    assert 'href="000-r1/report.html"' in text
    (sweep / "report.html").unlink()
    assert gantrain("report", f"runs={sweep}").returncode == 0
    assert (sweep / "report.html").is_file()


def test_runs_are_set_side_by_side(gantrain: Command, tmp_path: Path) -> None:
    for seed in (0, 1):
        assert gantrain(*SHORT, f"seed={seed}", f"name=it{seed}").returncode == 0
    runs = sorted(str(run.relative_to(tmp_path)) for run in (tmp_path / "outputs").glob("*/*"))
    for words in (",".join(runs), "outputs/it*/*", "outputs/it0,outputs/it1"):
        done = gantrain("report", f"runs={words}", "out=both.html")
        assert done.returncode == 0, done.stderr
        text = Path("both.html").read_text()
        assert all(f'href="{run}/report.html"' in text for run in runs)
        Path("both.html").unlink()
    Path(runs[0], "report.html").unlink()
    assert gantrain("report", "runs=outputs/it0").returncode == 0
    assert Path(runs[0], "report.html").is_file(), "a folder that holds one run stands for it"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "gantrain report needs runs"),
        (["runs=nowhere"], "runs=nowhere: there is no such folder"),
        (["runs=."], "holds no run: name the folder of a run or of a sweep"),
        (["runs=.", "rums=3"], "did you mean runs"),
        (["runs=.", "-m"], "leave out --multirun"),
    ],
)
def test_what_is_no_run_is_refused(gantrain: Command, words: list[str], sentence: str) -> None:
    refused = gantrain("report", *words)
    assert refused.returncode == 2
    assert sentence in refused.stderr
