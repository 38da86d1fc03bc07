"""Recipes over seeds: what is best, what lies within the spread, what may not stand in one table, and what it cost."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
from made_runs import PROTOCOL, run_in, sweep_in

from gantrain.report.html import said_of_sweep, write_sweep_report
from gantrain.report.html.comparison import Comparison, Job, standings
from gantrain.report.html.cost import cost_of
from gantrain.report.html.record import Record
from gantrain.runs import Origin, SweepFolder


def compared(folder: SweepFolder) -> Comparison:
    words = {job.path.name: dict(word.split("=") for word in job.read_words()) for job in folder.jobs()}
    return Comparison([Job(job.path.name, words[job.path.name], Record.read(job)) for job in folder.jobs()])


def test_within_the_spread_no_difference_is_told() -> None:
    values = {"a": [1.0, 3.0], "b": [2.0, 4.0], "c": [9.0, 9.0], "d": [2.0]}
    # the standard deviations of a and b are √2, their means 1 apart; those of a and c are √2 and 0: 7 > 1
    assert standings(values, "lower") == {"a": "best", "b": "within", "c": "beyond", "d": "unknown"}
    assert standings(values, "higher")["c"] == "best"
    assert standings({"a": [1.0, 1.0], "b": [1.0, 1.0]}, "lower") == {}
    assert standings(values, "near 1") == {}


def test_a_report_says_what_is_best_over_seeds_and_each_value(tmp_path: Path) -> None:
    figures = {"r1": (1.0, 3.0), "hinge": (2.0, 4.0), "wgan": (9.0, 9.5)}
    jobs = [
        ([f"loss={loss}", f"seed={k}"], figure, PROTOCOL) for loss, v in figures.items() for k, figure in enumerate(v)
    ]
    sweep = sweep_in(tmp_path / "s", jobs)
    text = write_sweep_report(sweep).read_text()
    assert (
        "fid_classifier: loss=r1 is best, 2 ± 1.4; within the spread of it, so no difference is told: loss=hinge"
        in text
    )
    assert "≈ 3 ± 1.4" in text
    assert "<small>2  4</small>" in text
    assert "≈ 9.25" not in text


def test_seeds_of_one_recipe_are_told_by_their_mean(tmp_path: Path) -> None:
    sweep = sweep_in(tmp_path / "s", [([f"seed={k}"], 1.0 + 2 * k, PROTOCOL) for k in (0, 1)])
    assert said_of_sweep(sweep)[0] == "fid_classifier: 2 ± 1.4 over 2 seeds"
    text = write_sweep_report(sweep).read_text()
    assert "fid_classifier: 2 ± 1.4 over 2 seeds" in text
    assert "<small>1  3</small>" in text


def test_numbers_that_were_chosen_stand_in_order_and_the_objective_first(tmp_path: Path) -> None:
    words = [["optimizer.lr=0.003"], ["optimizer.lr=1e-4"], ["optimizer.lr=0.0006"]]
    sweep = sweep_in(tmp_path / "s", [(each, 1.0 + k, PROTOCOL) for k, each in enumerate(words)])
    assert compared(sweep).options("optimizer.lr") == ["1e-4", "0.0006", "0.003"]
    for folder in sweep.jobs():
        folder.numbers.open(20)
        folder.numbers.add({"metrics/other": 2.0}, 20)
        folder.numbers.close()
    jobs = compared(sweep).jobs
    assert Comparison(jobs).figures == ["metrics/fid_classifier", "metrics/other"]
    first = Comparison(jobs, "metrics/other")
    assert first.figures == first.alike()[0].figures == ["metrics/other", "metrics/fid_classifier"]


def test_conditional_runs_and_others_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    given = {**PROTOCOL, "conditional": True}
    jobs = [
        ([f"model={model}", f"seed={k}"], 3.0 + k, protocol)
        for model, protocol in (("cgan", given), ("acgan", given), ("dcgan", PROTOCOL), ("resnet", PROTOCOL))
        for k in (0, 1)
    ]
    sweep = sweep_in(tmp_path / "s", jobs)
    whole = compared(sweep)
    assert "conditional is yes (of labels or data) in 000, 001" in whole.unlike["metrics/fid_classifier"]
    assert whole.best("metrics/fid_classifier") is None
    groups = [[job.name for job in group.jobs] for group in whole.alike()]
    assert groups == [["000", "001", "002", "003"], ["004", "005", "006", "007"]]
    text = write_sweep_report(sweep).read_text()
    over_seeds = text.split("Over seeds")[1].split("</section>")[0]
    assert over_seeds.count("<table") == 2
    assert "conditional is yes" in over_seeds


def test_the_cost_is_the_time_of_training_and_the_images(tmp_path: Path) -> None:
    config = "seed: 0\ntrainer:\n  steps: 20\n  batch_size: 50\nlog:\n  every: 1\n"
    alone = Record.read(run_in(tmp_path / "a", steps=20, config=config))
    cost = cost_of([alone])
    assert (cost.images, cost.seconds) == (20 * 50, pytest.approx(20 * 50 / 100))  # at 100 images a second
    both = Record.read(run_in(tmp_path / "b", steps=20, config=config, machine="cuda, fp32, 4 processes"))
    assert cost_of([alone, both]).seconds == pytest.approx(5 * cost.seconds)
    third = Record.read(run_in(tmp_path / "d", steps=20, config=config, machine="cpu, fp32, one of 3 runs at once"))
    assert cost_of([third]).seconds == pytest.approx(cost.seconds / 3), "the clock is that of all three"
    stranger = Record.read(run_in(tmp_path / "e", steps=20, config=config, machine="cpu, one of 0 runs at once"))
    assert cost_of([stranger]).seconds == pytest.approx(cost.seconds)
    assert cost_of([Record.read(run_in(tmp_path / "c", config="batch_size: x"))]).images == 0
    runs = run_in(tmp_path / "f", steps=20, config=config, machine="cpu, fp32")
    lines = [json.loads(line) for line in runs.numbers.file.read_text().splitlines()]
    for line in lines[:10]:  # of four at once; then it went on alone
        line["speed/device_seconds_per_1000_images"] = 2.5
    runs.numbers.file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert cost_of([Record.read(runs)]).seconds == pytest.approx(10 * 50 / 400 + 10 * 50 / 100)
    fork = run_in(tmp_path / "d", steps=20, config=config)
    fork.origin.write(Origin("a", 8, ["loss=hinge"]))
    assert cost_of([Record.read(fork)]).images == 12 * 50, "what came before was paid for by another"


def test_what_a_search_has_drawn_makes_no_groups(tmp_path: Path) -> None:
    drawn = [([f"optimizer.lr=0.00{k}12345678", f"loss={('r1', 'hinge')[k % 2]}"], 1.0 + k, PROTOCOL) for k in range(6)]
    text = write_sweep_report(sweep_in(tmp_path / "s", drawn)).read_text()
    assert 'id="shares"' in text, "two losses are met again"
    assert 'id="heat"' not in text
    assert "0.00112346" in text
    rates = [([words[0]], figure, protocol) for words, figure, protocol in drawn]
    assert 'id="shares"' not in write_sweep_report(sweep_in(tmp_path / "t", rates)).read_text()


def test_groups_that_cannot_be_compared_are_told_apart(tmp_path: Path) -> None:
    """Two data sets: what is said of each says of which."""
    jobs = [
        ([f"dataset={data}", f"loss={loss}", f"seed={k}"], figure + 0.01 * k, {**PROTOCOL, "data": data})
        for data in ("ring8", "grid25")
        for loss, figure in (("hinge", 3.0), ("lsgan", 5.0))
        for k in (0, 1)
    ]
    said = said_of_sweep(sweep_in(tmp_path / "s", jobs))
    assert said[0].startswith("dataset=ring8: fid_classifier: loss=hinge is best")
    assert said[1].startswith("dataset=grid25: fid_classifier: loss=hinge is best")


def test_a_job_whose_process_is_gone_is_not_running(tmp_path: Path) -> None:
    sweep = sweep_in(tmp_path / "s", [([f"seed={k}"], 3.0, PROTOCOL) for k in (0, 1)])
    file = sweep.jobs()[1].status.file
    gone = {"status": "running", "pid": 2**30, "host": platform.node(), "heartbeat": "2026-01-01T00:00:00+00:00"}
    file.write_text(json.dumps({**json.loads(file.read_text()), **gone, "verdict": None}))
    text = write_sweep_report(sweep).read_text()
    assert "1 finished, 1 died" in text
    assert "001 died: " in text
    assert "Its process was gone after step" in text


def test_a_recipe_some_of_whose_runs_failed_is_not_the_best(tmp_path: Path) -> None:
    """What is left of it would be its lucky seeds; and a failed run's last figure is of another step."""
    figures = {"r1": (1.0, 1.1, 1.2), "hinge": (2.0, 4.0, 3.0), "wgan": (9.0, 9.5, 9.1)}
    jobs = [
        ([f"loss={loss}", f"seed={k}"], figure, PROTOCOL) for loss, v in figures.items() for k, figure in enumerate(v)
    ]
    sweep = sweep_in(tmp_path / "s", jobs)
    sweep.jobs()[0].status.end("failed", "it diverged")
    whole = compared(sweep)
    assert whole.best("metrics/fid_classifier") == 1.1
    assert whole.values("metrics/fid_classifier")["loss=r1"] == [1.1, 1.2]
    text = write_sweep_report(sweep).read_text()
    assert "loss=hinge is best, 3 ± 1; not compared, for some of its runs have no such figure: loss=r1" in text
    assert "(2 of 3)" in text
