"""`gantrain -m sweep=tpe`: a search by Optuna, interrupted, resumed, and with runs that fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Command

from gantrain.commands.launching import is_installed
from gantrain.commands.search import take_trials
from gantrain.commands.study import open_study, study_plots
from gantrain.commands.sweep_words import FAILED, check
from gantrain.config import hydra_at, parse
from gantrain.errors import UserError
from gantrain.runs import SweepFolder

LINE = ["dataset=gaussian1d", "trainer.steps=2", "trainer.batch_size=16", "metrics.use=[wasserstein1]"]
LINE += ["metrics.known.wasserstein1.samples=200", "log.every=1"]
RATE = "optimizer.generator.lr=tag(log,interval(1e-4,1e-2))"

with_optuna = pytest.mark.skipif(not is_installed("hydra_plugins.hydra_optuna_sweeper"), reason="needs gantrain[sweep]")
pytestmark = pytest.mark.usefixtures("plain_pictures")


def only_sweep(folder: Path) -> SweepFolder:
    (sweep,) = folder.glob("outputs/sweeps/*/*")
    return SweepFolder(sweep)


def trials(folder: Path, state: str) -> list[Any]:
    return [trial for trial in open_study(only_sweep(folder)).get_trials() if trial.state.name == state]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sweep=tpe", *LINE], "nothing is searched"),
        (["sweep=tpe", *LINE, RATE, "metrics.use=[]"], "nothing is measured by which a search could compare"),
        (["sweep=tpe", "dataset=ring8", "trainer.steps=20", RATE], "runs of so few steps choose none by themselves"),
        (["sweep=tpe", *LINE, RATE, "sweep.metric=metrics/fid"], "sweep.metric=metrics/fid is none of the figures"),
        (["sweep=tpe", *LINE, RATE, "sweep.metric=wasserstein"], "sweep.metric=wasserstein is none of the figures"),
        (["sweep=tpe", *LINE, RATE, "sweep.metric=loss/generator/total"], "add sweep.direction=minimize or maximize"),
        (["sweep=tpe", *LINE, RATE, "sweep.direction=up"], "direction"),
        (["sweep=tpe", *LINE, RATE, "sweep.trials=0"], "sweep.trials"),
        (["sweep=tpe", *LINE, RATE, "hydra.sweeper.n_trials=3"], "how many trials a search has is sweep.trials="),
    ],
)
def test_a_search_that_cannot_be_is_refused(gantrain: Command, tmp_path: Path, words: list[str], sentence: str) -> None:
    refused = gantrain("-m", *words)
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("more", [[], ["hydra/sweeper/sampler=random"]])
def test_without_the_package_it_says_how_to_get_it(
    gantrain: Command, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    monkeypatch.setattr("gantrain.commands.search.is_installed", lambda name: False)
    refused = gantrain("-m", "sweep=tpe", *LINE, RATE, *more)
    assert refused.returncode == 2
    assert "pip install 'gantrain[sweep]'" in refused.stderr


def test_which_way_a_figure_is_better_follows_from_its_metric() -> None:
    asked = {"metrics/modes": "maximize", "metrics/reverse_kl": "minimize", "metrics/high_quality": "maximize"}
    with hydra_at():
        for tag, direction in asked.items():
            words = ["sweep=tpe", "dataset=ring8", "metrics=modes", f"sweep.metric={tag}"]
            assert check(parse(words), "train")[1].direction == direction
            bare = [*words[:-1], f"sweep.metric={tag.removeprefix('metrics/')}"]
            assert check(parse(bare), "train")[1] == check(parse(words), "train")[1]
        words = ["sweep=tpe", "dataset=gaussian1d", "metrics=gaussian1d", "sweep.metric=metrics/mean"]
        with pytest.raises(UserError, match="nothing says which way metrics/mean is better"):
            check(parse(words), "train")


@with_optuna
def test_an_interrupted_search_goes_on_and_repeats_nothing(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def interrupted(*_: object) -> dict[str, float]:
        begun.append(1)
        if len(begun) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"metrics/wasserstein1": float(len(begun))}

    with monkeypatch.context() as patched:
        patched.setattr("gantrain.commands.train.evaluate", interrupted)
        stopped = gantrain("-m", "sweep=tpe", "sweep.trials=5", *LINE, RATE)
    assert stopped.returncode == 143, stopped.stderr
    sweep = only_sweep(tmp_path)
    (open_one,) = trials(tmp_path, "RUNNING")
    done = gantrain(f"run={sweep}")
    assert done.returncode == 0, done.stderr
    assert "3 more of 5 trials" in done.stdout
    complete = trials(tmp_path, "COMPLETE")
    rates = [trial.params["optimizer.generator.lr"] for trial in complete]
    assert len(set(rates)) == len(rates) == 5
    assert open_one.params["optimizer.generator.lr"] == rates[2], "what was interrupted is finished first"
    assert len(sweep.jobs()) == 5
    assert all(job.status.read().status == "finished" for job in sweep.jobs())
    assert gantrain(f"run={sweep}").returncode == 0, "nothing is left to do"
    assert gantrain(f"run={sweep}", "sweep.trials=6").returncode == 0
    assert len(trials(tmp_path, "COMPLETE")) == len(sweep.jobs()) == 6


@with_optuna
def test_processes_share_a_search(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one begins during the first one's second trial, and is ended in its own second."""
    begun: list[SweepFolder] = []
    said = []

    def evaluated(*_: object) -> dict[str, float]:
        begun.append(only_sweep(tmp_path))
        if len(begun) == 2:
            command = [sys.executable, "-m", "gantrain", f"run={begun[0]}"]
            other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            while len(trials(tmp_path, "COMPLETE")) < 2 or len(trials(tmp_path, "RUNNING")) < 2:
                assert other.poll() is None
                time.sleep(0.05)
            other.send_signal(signal.SIGTERM)
            said.append(other.communicate()[0])
            assert other.returncode == 143
        return {"metrics/wasserstein1": 1.0}

    monkeypatch.setattr("gantrain.commands.train.evaluate", evaluated)
    long = "trainer.steps=60"  # so that the second one is met in its trial
    done = gantrain("-m", "sweep=tpe", "sweep.trials=6", *LINE, RATE, long)
    assert done.returncode == 0, done.stderr
    assert "4 more of 6 trials, beside 1 other, to minimize" in said[0]
    complete = trials(tmp_path, "COMPLETE")
    assert len({trial.params["optimizer.generator.lr"] for trial in complete}) == len(complete) == 6
    assert len(begun[0].jobs()) == 6, "what was interrupted is finished"
    with begun[0].workers.joined(99):
        assert begun[0].workers.others() == []


@with_optuna
def test_the_last_trials_of_others_are_left_to_them(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []

    def another(*_: object) -> dict[str, float]:
        said.append(gantrain(f"run={only_sweep(tmp_path)}"))
        return {"metrics/wasserstein1": 1.0}

    with monkeypatch.context() as patched:
        patched.setattr("gantrain.commands.train.evaluate", another)
        assert gantrain("-m", "sweep=tpe", "sweep.trials=1", *LINE, RATE).returncode == 0
    assert said[0].returncode == 0
    assert "0 more of 1 trials, beside 1 other" in said[0].stdout
    assert len(trials(tmp_path, "COMPLETE")) == len(only_sweep(tmp_path).jobs()) == 1


@with_optuna
def test_a_grid_is_gone_through_once(gantrain: Command, tmp_path: Path) -> None:
    words = ["sweep.trials=9", "hydra/sweeper/sampler=grid", "optimizer.generator.lr=1e-3,1e-4"]
    assert gantrain("-m", "sweep=tpe", *words, *LINE).returncode == 0
    assert len(trials(tmp_path, "COMPLETE")) == len(only_sweep(tmp_path).jobs()) == 2


@with_optuna
def test_what_no_run_logs_is_told(gantrain: Command, tmp_path: Path) -> None:
    words = ["sweep.metric=loss/generator/totl", "sweep.direction=minimize", "sweep.trials=1"]
    done = gantrain("-m", "sweep=tpe", *words, *LINE, RATE)
    assert "job 000-" in done.stdout
    assert "has logged no loss/generator/totl: it counts as the worst" in done.stdout


@with_optuna
def test_a_run_that_fails_is_a_bad_value_and_no_end(gantrain: Command, tmp_path: Path) -> None:
    words = ["-m", "sweep=tpe", "sweep.trials=4", *LINE, "tricks=[label_smoothing]"]
    done = gantrain(*words, "loss=nonsaturating,hinge", "optimizer.lr=tag(log,interval(1e-4,1e-3))")
    assert done.returncode in (0, 1), done.stderr
    values = {trial.params["loss"]: trial.value for trial in trials(tmp_path, "COMPLETE")}
    assert len(trials(tmp_path, "COMPLETE")) == 4
    assert values.get("hinge", FAILED) == FAILED
    assert 0 < values["nonsaturating"] < FAILED
    sweep = only_sweep(tmp_path)
    for plot in study_plots(sweep):
        assert "e+09" not in json.dumps(plot)
        assert str(FAILED) not in json.dumps(plot)
    assert 'id="study-0"' in sweep.report.read_text()
    with sweep.workers.joined(sweep.next_number()):
        assert take_trials(sweep, 4, 1) == (0, 0)
