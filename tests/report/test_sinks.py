"""Where numbers go besides the run's folder: trackers that look like wandb, and MLflow."""

from __future__ import annotations

import signal
import sqlite3
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, only_run

from gantrain.errors import Stopped, UserError
from gantrain.report import sinks as sinks_module
from gantrain.report.recorder import Recorder
from gantrain.report.sinks import check_sinks
from gantrain.runs import RunFolder


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A module with the face of wandb's; what it was told."""
    told: list[tuple[Any, ...]] = []
    module = types.ModuleType("wandb")

    def init(project: str, name: str, id: str, resume: str, config: dict[str, Any], dir: str | None = None) -> None:
        told.append(("init", id, resume, config))

    module.init = init  # type: ignore[attr-defined]
    module.log = lambda values, step: told.append(("log", dict(values), step))  # type: ignore[attr-defined]
    module.finish = lambda: told.append(("finish",))  # type: ignore[attr-defined]
    module.Image = lambda page: ("image", page.shape)  # type: ignore[attr-defined]
    module.Histogram = lambda values: ("histogram", values.shape)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    return told


def test_a_tracker_is_told_all_and_goes_on_with_the_same_run(tracker: list[tuple[Any, ...]], tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "it" / "now")
    folder.path.mkdir(parents=True)
    first = Recorder(folder, 0, ["wandb"], {"seed": 3, "tricks": ["ema"]})
    first.numbers({"a": 1.0, "b": float("nan")}, 10)
    first.picture(np.zeros((4, 6, 3), np.uint8), 10)
    first.histograms({"w": torch.ones(2, 3)}, 10)
    first.close()
    (_, name, resume, config), *rest = tracker
    assert (name[:7], resume, config) == ("it-now-", "allow", {"seed": 3, "tricks": "['ema']"})
    images = ("log", {"samples": ("image", (4, 6, 3))}, 10)
    assert rest == [("log", {"a": 1.0}, 10), images, ("log", {"w": ("histogram", (6,))}, 10), ("finish",)]
    tracker.clear()
    Recorder(folder, 10, ["wandb"]).close()
    assert tracker[0][1] == name
    other = RunFolder(tmp_path / "it" / "later")
    other.path.mkdir()
    Recorder(other, 0, ["wandb"]).close()
    assert tracker[-2][1] != name
    assert not folder.has_events(), "TensorBoard was not asked for"


def test_a_tracker_is_told_how_a_run_ended_and_what_came_out(
    tracker: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, summary = sys.modules["wandb"], dict[str, float]()
    monkeypatch.setattr(module, "run", types.SimpleNamespace(summary=summary), raising=False)
    monkeypatch.setattr(module, "finish", lambda exit_code=None: tracker.append(("finish", exit_code)))
    with Recorder(RunFolder(tmp_path), 0, ["wandb"]) as recorder:
        recorder.settings({"seed": 3}, {"metrics/fid": 1.5, "metrics/kid": float("nan")})
    assert summary == {"metrics/fid": 1.5}
    assert tracker[-1] == ("finish", 0)
    with pytest.raises(MemoryError), Recorder(RunFolder(tmp_path), 0, ["wandb"]):
        raise MemoryError
    assert tracker[-1] == ("finish", 1)


def test_a_tracker_that_fails_is_left_out_and_the_run_goes_on(
    tracker: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(values: object, step: int) -> None:
        raise ConnectionError("no\nnetwork")

    monkeypatch.setattr(sys.modules["wandb"], "log", fail)
    said: list[str] = []
    recorder = Recorder(RunFolder(tmp_path), 0, ["wandb", "tensorboard"], say=said.append)
    for step in (1, 2):
        recorder.numbers({"a": 1.0}, step)
    recorder.close()
    assert said == ["log.sinks: wandb failed, and the run goes on without it: no network"]
    assert len(RunFolder(tmp_path).numbers.read()) == 2


def test_mlflow_is_told_all_and_goes_on_with_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, ...]] = []

    class Client:
        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str) -> str:
            return f"experiment {name}"

        def create_run(self, experiment: str, run_name: str) -> Any:
            told.append(("create", experiment, run_name))
            return types.SimpleNamespace(info=types.SimpleNamespace(run_id="number"))

        def __getattr__(self, name: str) -> Any:
            return lambda *words, **more: told.append(
                (name, *(w for w in words if isinstance(w, (str, float))), *more.values())
            )

    module = types.ModuleType("mlflow.tracking")
    module.MlflowClient = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", module)
    folder = RunFolder(tmp_path / "it")
    folder.path.mkdir()
    first = Recorder(folder, 0, ["mlflow"], {"seed": 3})
    first.numbers({"a": 1.5, "b": float("inf")}, 10)
    first.picture(np.zeros((4, 6, 3), np.uint8), 10)
    first.close()
    assert told[0][:2] == ("create", "experiment gantrain")
    assert told[1:] == [
        ("log_param", "number", "seed", "3"),
        ("log_metric", "number", "a", 1.5, 10),
        ("log_image", "number", "samples", 10),
        ("set_terminated", "number", "FINISHED"),
    ]
    told.clear()
    Recorder(folder, 10, ["mlflow"]).close()
    assert told == [("update_run", "number", "RUNNING"), ("set_terminated", "number", "FINISHED")]
    for error, ended in ((ValueError("no"), "FAILED"), (Stopped(signal.SIGTERM), "KILLED")):
        with pytest.raises(type(error)), Recorder(folder, 10, ["mlflow"]):
            raise error
        assert told[-1] == ("set_terminated", "number", ended)


def test_trackio_itself_keeps_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "kept"))
    trackio = pytest.importorskip("trackio", reason="trackio is not installed")
    kept = Path(str(trackio.utils.TRACKIO_DIR))
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    for step in (1, 2):
        recorder = Recorder(folder, step - 1, ["trackio"], {"seed": 3}, say=pytest.fail)
        recorder.numbers({"loss/a": float(step)}, step)
        recorder.close()
    (name,) = folder.sinks.read().values()
    rows = [
        row
        for file in kept.glob("gantrain*.db")
        for row in sqlite3.connect(file).execute("SELECT step FROM metrics WHERE run_name = ?", (name,))
    ]
    assert sorted(rows) == [(1,), (2,)]


def test_what_is_not_there_is_refused_before_data_is_read(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks_module.importlib.util, "find_spec", lambda name: None)
    refused = gantrain("dataset=mnist", "log.sinks=[tensorboard,mlflow]")
    assert refused.returncode == 2
    assert "log.sinks: mlflow is not installed: pip install mlflow, or leave it out" in refused.stderr
    assert not (tmp_path / "outputs").exists()
    with pytest.raises(UserError, match="wandbb is none of tensorboard, trackio, wandb, mlflow"):
        check_sinks(["wandbb"])


def test_without_sinks_the_folder_is_whole(gantrain: Command, tmp_path: Path, plain_pictures: None) -> None:
    done = gantrain("dataset=ring8", "trainer.steps=2", "log.every=1", "metrics.use=[]", "log.sinks=[]")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert not list(run.glob("events*"))
    assert (run / "metrics.jsonl").read_text().count('"loss/generator/total"') == 2
