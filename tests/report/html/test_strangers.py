"""Reports of folders that others made: links, names that are addresses, numbers that are none, large pictures."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from made_runs import PROTOCOL, run_in, sweep_in
from PIL import Image
from test_pages import Reader, data_of

from gantrain.report.html import write_comparison, write_run_report, write_sweep_report
from gantrain.report.html.comparison import Comparison, Job
from gantrain.report.html.curves import curves_of
from gantrain.report.html.figures import MEANINGS, better_of, protocol_in_words
from gantrain.report.html.images import data_address
from gantrain.report.html.record import Record
from gantrain.report.pictures import animate, save
from gantrain.runs import RunFolder


@pytest.mark.parametrize("name", ["javascript:alert(1);", "a#b?c%20d"])
def test_a_folders_name_is_no_address_of_another_kind(name: str, tmp_path: Path) -> None:
    sweep = sweep_in(tmp_path / "s", [(["seed=0"], 1.0, PROTOCOL), (["seed=1"], 2.0, PROTOCOL)])
    (sweep.path / "000").rename(sweep.path / name)
    for job in sweep.jobs():
        write_run_report(job)
    text = write_sweep_report(sweep).read_text()
    (address,) = (a for a in Reader(text).addresses if a.endswith("report.html") and not a.startswith("001"))
    assert not set(address) & set(":#?"), "it would be read as something else than a path"
    assert (sweep.path / unquote(address)).is_file()


def test_no_link_in_a_folder_is_followed(tmp_path: Path) -> None:
    private = run_in(tmp_path / "private" / "run")
    write_run_report(private)
    folder = run_in(tmp_path / "a" / "b")
    for file in folder.samples.path.iterdir():
        file.unlink()
    folder.samples.path.rmdir()
    folder.samples.path.symlink_to(private.samples.path)
    assert folder.samples.by_step() == []
    assert not folder.samples.has_real
    assert "data:image" not in write_run_report(folder).read_text()
    sweep = sweep_in(tmp_path / "s", [(["seed=0"], 1.0, PROTOCOL), (["seed=1"], 2.0, PROTOCOL)])
    (sweep.path / "000" / "report.html").symlink_to(private.report)
    (sweep.path / "002").symlink_to(sweep.path / "001")
    assert [job.path.name for job in sweep.jobs()] == ["000", "001"]
    text = write_sweep_report(sweep).read_text()
    assert not [address for address in Reader(text).addresses if "report.html" in address]


def test_a_picture_of_too_many_pixels_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        save(np.zeros((40, 40, 3), np.uint8), file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert data_address(files[0]) is None
    animate(files, tmp_path / "film.gif")
    assert not (tmp_path / "film.gif").exists()


def test_numbers_that_no_float_holds_are_gaps(tmp_path: Path) -> None:
    (curve,) = curves_of([{"step": 1, "a": 10**400}, {"step": 2, "a": 1}]).values()
    assert curve.values == [None, 1.0]
    folder = run_in(tmp_path / "a" / "b")
    folder.evaluations.file.write_text(
        f'{{"step": 3, "figures": {{"metrics/kid": {"9" * 400}, "metrics/mind": NaN}}}}\n'
    )
    assert "<h1>" in write_run_report(folder).read_text()
    runs = [folder, run_in(tmp_path / "a" / "c")]
    runs[1].evaluations.add(3, "x", {"metrics/kid": 1.0, "metrics/mind": 2.0}, {})
    assert "<h1>" in write_comparison(runs, tmp_path / "both.html").read_text()


def compared(tmp_path: Path, tag: str, *evaluations: list[tuple[int, float]], better: str | None = None) -> Comparison:
    jobs = []
    for k, measured in enumerate(evaluations):
        folder = RunFolder(tmp_path / str(k))
        folder.path.mkdir(exist_ok=True)
        for step, value in measured:
            folder.evaluations.add(
                step, "x", {tag: value}, {tag: {"samples": 9} | ({"better": better} if better else {})}
            )
        jobs.append(Job(str(k), {"seed": str(k)}, Record.read(folder)))
    return Comparison(jobs)


def test_of_evaluations_that_of_the_highest_step_counts(tmp_path: Path) -> None:
    jobs = compared(tmp_path, "metrics/fid", [(20, 1.0), (10, 5.0)], [(20, 2.0)])
    assert jobs.jobs[0].figures == {"metrics/fid": 1.0}
    assert jobs.best("metrics/fid") == 1.0


def test_a_metric_itself_says_which_way_is_better(tmp_path: Path) -> None:
    assert compared(tmp_path, "metrics/mine", [(1, 3.0)], [(1, 4.0)], better="higher").best("metrics/mine") == 4.0
    assert better_of("metrics/fid", {"better": "higher"}) == "higher"
    assert better_of("metrics/fid", {"better": "<b>"}) == better_of("metrics/fid", None) == "lower"
    folder = run_in(tmp_path / "a" / "b", protocol={**PROTOCOL, "better": "higher"})
    assert "↑ higher" in Reader(write_run_report(folder).read_text()).shown
    assert "copies" in MEANINGS["memorised"].words
    assert protocol_in_words({"space": "values"}).startswith("numbers as they are")


def test_runs_of_two_sweeps_are_told_apart_by_what_they_chose(tmp_path: Path) -> None:
    from gantrain.commands.report import choices_of

    runs = []
    for name, losses in (("a", ("r1", "hinge")), ("b", ("wgan", "r1"))):
        sweep = sweep_in(tmp_path / name, [([f"loss={loss}"], 1.0, PROTOCOL) for loss in losses])
        for job, loss in zip(sweep.jobs(), losses, strict=True):
            chosen = {"groups": {"loss": loss, "model": f"m{name}"}, "overrides": [f"loss={loss}", "trainer.steps=5"]}
            job.write_config(json.dumps({"name": "x", "seed": 3, "choices": chosen}))
            runs.append(RunFolder(job.path))
    data = data_of(write_comparison(runs, tmp_path / "all.html", choices_of).read_text())
    assert data["choices"] == ["loss", "model"]
    assert data["options"]["loss"] == ["r1", "hinge", "wgan"]
    assert choices_of(run_in(tmp_path / "c" / "d", config="choices: 3\n")) == {}
