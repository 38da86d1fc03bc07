"""What a step still owes is done when the run goes on, and the end that a run once had leaves no trace in its state."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Command, job_folder, lines_of, only_run, same

from gantrain.errors import UserError
from gantrain.metrics import RealData
from gantrain.training.rounds import Rounds
from gantrain.tricks import EarlyStopping, RunPlan

pytestmark = pytest.mark.usefixtures("plain_pictures")

LINE = ["dataset=gaussian1d", "trainer.batch_size=8", "model.generator.hidden=[4]", "model.discriminator.hidden=[4]"]
LINE += ["metrics.use=[wasserstein1]", "metrics.best=metrics/wasserstein1", "optimizer=adam", "loss=nonsaturating"]
STILL = ["tricks=[ema,early_stopping]", "tricks.early_stopping.patience=3"]
EVALUATE = "gantrain.commands.train.evaluate"


def held(run: Path, name: str) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / name, weights_only=True)


def check_same(a: dict[str, Any], b: dict[str, Any]) -> None:
    """Two checkpoints are the same but for the time that they took."""
    assert same(a["game"], b["game"])
    assert same(a["optimizers"], b["optimizers"])
    assert {**a["progress"], "seconds": 0} == {**b["progress"], "seconds": 0}
    assert b["progress"]["seconds"] > 0


def status(run: Path) -> str:
    return json.loads((run / "status.json").read_text())["status"]


def evaluated(run: Path) -> list[float]:
    return [line["step"] for line in lines_of(run / "metrics.jsonl") if "metrics/wasserstein1" in line]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """What the evaluations to come find, in turn."""
    found: list[float] = []
    monkeypatch.setattr(EVALUATE, lambda *_: {"metrics/wasserstein1": found.pop(0)})
    yield found
    assert not found, "an evaluation was left out"


def test_the_end_that_a_run_once_had_teaches_nothing(gantrain: Command, tmp_path: Path, figures: list[float]) -> None:
    """Nothing is better than at 5: three of three are waited for at 20, and 7, where the other run ended, is none."""
    words = [*LINE, *STILL, "metrics.every=5"]
    figures += [1, 2, 2, 2]
    straight = gantrain(*words, "trainer.steps=40", "outputs_dir=straight")
    assert "ended at step 20" in straight.stdout, straight.stderr
    figures += [1, 2]
    assert gantrain(*words, "trainer.steps=7", "outputs_dir=ended").returncode == 0
    run = only_run(tmp_path / "ended")
    figures += [2, 2, 2]
    done = gantrain(f"run={run}", "trainer.steps=40")
    assert "ended at step 20" in done.stdout, done.stderr
    check_same(held(only_run(tmp_path / "straight"), "step_00000020.pt"), held(run, "step_00000020.pt"))


def test_the_best_is_kept_when_a_run_goes_on(gantrain: Command, tmp_path: Path, figures: list[float]) -> None:
    words = [*LINE, "metrics.every=5"]
    figures += [3, 2, 2.5]
    assert gantrain(*words, "trainer.steps=15", "outputs_dir=straight").returncode == 0
    figures += [3, 1]
    assert gantrain(*words, "trainer.steps=7", "outputs_dir=ended").returncode == 0
    run = only_run(tmp_path / "ended")
    assert held(run, "best.pt")["progress"]["step"] == 7
    figures += [2, 2.5]
    assert gantrain(f"run={run}", "trainer.steps=15").returncode == 0
    assert held(run, "best.pt")["progress"]["step"] == 7, "nothing since was as good"
    straight = held(only_run(tmp_path / "straight"), "step_00000015.pt")
    assert straight["progress"]["best"] == 2
    check_same(straight, held(run, "step_00000015.pt"))


def test_seconds_add_up_when_a_run_goes_on(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*LINE, "trainer.steps=3", "outputs_dir=o").returncode == 0
    run = only_run(tmp_path / "o")
    file = run / "checkpoints" / "step_00000003.pt"
    state = held(run, file.name)
    state["progress"]["seconds"] = 1000.0
    torch.save(state, file)
    assert gantrain(f"run={run}", "trainer.steps=4").returncode == 0
    assert 1000 < held(run, "step_00000004.pt")["progress"]["seconds"] < 1100


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_figure_that_is_no_number_is_never_best(
    gantrain: Command, tmp_path: Path, figures: list[float], value: float
) -> None:
    figures += [value, 3, value]
    assert gantrain(*LINE, "metrics.every=2", "trainer.steps=6", "outputs_dir=o").returncode == 0
    assert held(only_run(tmp_path / "o"), "best.pt")["progress"]["step"] == 4


def failing(*_: object) -> dict[str, float]:
    raise RuntimeError("no")


def test_an_evaluation_that_the_end_still_owes(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*LINE, "trainer.steps=6"]
    with monkeypatch.context() as broken:
        broken.setattr(EVALUATE, failing)
        assert gantrain(*words, "outputs_dir=o").returncode == 1
    run = only_run(tmp_path / "o")
    assert (status(run), evaluated(run)) == ("failed", [])
    done = gantrain(f"run={run}")
    assert done.returncode == 0, done.stderr
    assert (status(run), evaluated(run)) == ("finished", [6])
    assert held(run, "best.pt")["progress"]["step"] == 6
    assert held(run, "step_00000006.pt")["progress"]["figures"].keys() == {"metrics/wasserstein1"}
    assert (run / "samples" / "final.png").is_file()
    over = gantrain(f"run={run}")
    assert (over.returncode, over.stderr.count("\n")) == (2, 1)
    assert "trainer.steps=6 ends it: set more" in over.stderr


def test_an_evaluation_that_the_middle_still_owes(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*LINE, *STILL, "trainer.steps=14", "metrics.every=4", "checkpoint.every=4"]
    assert gantrain(*words, "outputs_dir=straight").returncode == 0
    with monkeypatch.context() as broken:
        broken.setattr("gantrain.metrics.gaussian.Wasserstein1.__call__", failing)
        assert gantrain(*words, "outputs_dir=o").returncode == 1
    run = only_run(tmp_path / "o")
    assert gantrain(f"run={run}").returncode == 0
    assert evaluated(run) == [4, 8, 12, 14]
    check_same(held(only_run(tmp_path / "straight"), "step_00000014.pt"), held(run, "step_00000014.pt"))


def test_a_sweep_finishes_what_a_job_still_owes(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(EVALUATE, failing)
        assert gantrain(*LINE, "trainer.steps=2", "-m", "seed=0,1").returncode == 1
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    done = gantrain(f"run={sweep}")
    assert done.returncode == 0, done.stderr
    assert [status(job_folder(sweep, job)) for job in ("000", "001")] == ["finished"] * 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_last_evaluation(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def interrupted(*_: object) -> dict[str, float]:
        os.kill(os.getpid(), number)
        return {"metrics/wasserstein1": 1.0}

    with monkeypatch.context() as patched:
        patched.setattr(EVALUATE, interrupted)
        done = gantrain(*LINE, "trainer.steps=2", "-m", "seed=0,1")
    assert done.returncode == 128 + number
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    assert [job.name for job in sweep.iterdir() if job.is_dir()] == ["000-seed0"], "the next job does not begin"
    assert status(job_folder(sweep, "000")) == "stopped"
    figures = held(job_folder(sweep, "000"), "step_00000002.pt")["progress"]["figures"]
    assert figures is None, "an evaluation may take hours"
    assert gantrain(f"run={sweep}").returncode == 0
    assert [status(job_folder(sweep, job)) for job in ("000", "001")] == ["finished"] * 2
    assert evaluated(job_folder(sweep, "000")) == [2], "who goes on makes up for it"


def test_nothing_is_evaluated_after_a_signal(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*LINE, *STILL, "trainer.steps=6", "metrics.every=3"]
    assert gantrain(*words, "outputs_dir=straight").returncode == 0
    play = Rounds.play

    def interrupted(self: Rounds, progress: Any, observe: bool = False) -> None:
        play(self, progress, observe)
        if progress.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Rounds, "play", interrupted)
        assert gantrain(*words, "outputs_dir=o").returncode == 130
    run = only_run(tmp_path / "o")
    assert (status(run), evaluated(run)) == ("stopped", [])
    assert gantrain(f"run={run}").returncode == 0
    assert evaluated(run) == [3, 6], "it is owed, and made up for"
    check_same(held(only_run(tmp_path / "straight"), "step_00000006.pt"), held(run, "step_00000006.pt"))


def test_a_picture_that_was_cut_short_costs_nothing_but_itself(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*LINE, "trainer.steps=4", "log.samples_every=2", "outputs_dir=o").returncode == 0
    run = only_run(tmp_path / "o")
    for name in ("00000000.png", "00000002.png"):
        whole = (run / "samples" / name).read_bytes()
        (run / "samples" / name).write_bytes(whole[: len(whole) // 2] if name[7] == "2" else b"")
    done = gantrain(f"run={run}", "trainer.steps=6")
    assert (done.returncode, status(run)) == (0, "finished"), done.stderr
    assert not [file for file in run.rglob("*") if file.name.startswith(".")]


def test_what_the_end_will_need_is_looked_at_in_the_beginning(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise UserError("there is no test set")

    monkeypatch.setattr(RealData, "open", missing)
    words = ["dataset=digits", "dataset.held_out=360", "networks=mlp", "model=sgan", "metrics=test_error"]
    done = gantrain(*words, "trainer.steps=2", "trainer.batch_size=8")
    assert (done.returncode, done.stderr) == (2, "gantrain: there is no test set\n")
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("higher", [False, True])
def test_a_value_that_equals_the_threshold_has_reached_it(higher: bool) -> None:
    """0.1 and 0.7 are no float32 numbers: one is rounded up, the other down."""
    for threshold in (0.1, 0.7):
        trick = EarlyStopping("m", threshold=threshold, patience=None)
        better = frozenset({"m"} if higher else ())
        trick.check(RunPlan([2], 8, 8, frozenset({"m"}), better, evaluate_every=1))
        assert trick.should_stop({"m": threshold + (-1e-12 if higher else 1e-12)}) is None
        assert trick.should_stop({"m": threshold}) is not None
