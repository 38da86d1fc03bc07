"""Where a sweep's jobs run: the same bits from every launcher, devices in turn, and what Slurm is asked for."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Command, same
from omegaconf import OmegaConf

from gantrain.commands.launching import is_installed, launcher_of, threads_shared
from gantrain.config import parse
from gantrain.runs import JobFolder, SweepFolder, load_checkpoint

SIX = ["dataset=ring8", "trainer.steps=12", "trainer.threads=1", "metrics.use=[modes]", "loss=hinge,lsgan,r1"]
SIX += ["seed=0,1", "metrics.known.modes.samples=500"]
CPU = OmegaConf.create({"trainer": {"device": "auto", "threads": None}})


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not is_installed(f"hydra_plugins.hydra_{package}"), reason=f"needs {package}")


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(12)), raising=False)


@pytest.mark.usefixtures("_installed")
def test_jobs_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    found = launcher_of(parse(["hydra/launcher=joblib"]), CPU, 100)
    assert (found.at_once, found.threads, found.device(3, "auto")) == (12, 1, "auto")
    found = launcher_of(parse(["hydra/launcher=joblib", "hydra.launcher.n_jobs=4"]), CPU, 100)
    assert (found.at_once, found.threads) == (4, 3)
    assert "hydra.launcher.n_jobs" not in found.settings, "the command line's stays"
    assert launcher_of(parse(["hydra/launcher=joblib"]), CPU, 3).threads == 4
    assert launcher_of(parse([]), CPU, 3).here
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with threads_shared(found):
        assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.usefixtures("_installed")
def test_jobs_take_devices_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    found = launcher_of(parse(["hydra/launcher=joblib"]), CPU, 100)
    assert (found.at_once, found.threads) == (3, 4)
    assert [found.device(k, "auto") for k in range(4)] == ["cuda:0", "cuda:1", "cuda:2", "cuda:0"]
    assert found.device(1, "cpu") == "cpu"
    ray = launcher_of(parse(["hydra/launcher=ray"]), CPU, 100)
    assert ray.settings["+hydra.launcher.ray.remote.num_gpus"] == 1
    assert ray.device(1, "auto") == "auto", "Ray itself shows each job one of them"
    taken = "++hydra.launcher.ray.init.object_store_memory"
    assert taken not in ray.settings
    joins = launcher_of(parse(["hydra/launcher=ray", "hydra.launcher.ray.init.address=auto"]), CPU, 100)
    assert joins.settings[taken] == "null", "a Ray that has begun refuses to be told its memory"


@pytest.mark.parametrize(("name", "extra"), [("joblib", "joblib"), ("submitit_slurm", "submitit"), ("ray", "ray")])
def test_what_is_not_installed_is_named(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, extra: str
) -> None:
    monkeypatch.setattr("gantrain.commands.launching.is_installed", lambda name: False)
    refused = gantrain("-m", "seed=0,1", f"hydra/launcher={name}")
    assert refused.returncode == 2
    assert f"hydra/launcher={name} is not installed: pip install 'gantrain[{extra}]'" in refused.stderr
    assert not (tmp_path / "outputs").exists()


def jobs_of(outputs: Path) -> dict[str, dict[str, object]]:
    """The state in which each job of the only sweep ended."""
    (sweep,) = outputs.glob("sweeps/*/*")
    found = {}
    for job in SweepFolder(sweep).jobs():
        assert job.status.read().status == "finished", job.status.read().reason
        found[job.path.name] = dict(load_checkpoint(job.checkpoints.find()))
    return found


@pytest.fixture(scope="module")
def one_after_the_other(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    from gantrain.cli import main

    outputs = tmp_path_factory.mktemp("serial")
    assert main(["-m", *SIX, f"outputs_dir={outputs}"]) == 0
    return jobs_of(outputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param("joblib", marks=needs("joblib_launcher")),
        pytest.param("submitit_local", marks=needs("submitit_launcher")),
        pytest.param("ray", marks=needs("ray_launcher")),
    ],
)
def test_every_launcher_gives_the_same_bits(
    gantrain: Command,
    tmp_path: Path,
    one_after_the_other: dict[str, dict[str, object]],
    launcher: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else its workers get nothing where others compute
    done = gantrain("-m", *SIX, f"hydra/launcher={launcher}")
    assert done.returncode == 0, done.stderr
    found = jobs_of(tmp_path / "outputs")
    assert list(found) == list(one_after_the_other)
    for name, state in found.items():
        for part in ("game", "optimizers"):
            assert same(state[part], one_after_the_other[name][part]), (name, part)
    if launcher != "ray":  # whose workers begin late on a busy machine
        assert "job 000-hinge-seed0 finished" in done.stdout


@pytest.mark.slow
@needs("joblib_launcher")
@pytest.mark.parametrize(
    ("number", "to_all"),
    [(signal.SIGTERM, False), (signal.SIGINT, True), (signal.SIGTERM, True)],
    ids=["kill", "Ctrl-C", "a batch system"],
)
def test_a_signal_has_jobs_elsewhere_save_first(tmp_path: Path, number: signal.Signals, to_all: bool) -> None:
    """Also where every process is told; the jobs that had not begun do not begin."""
    words = ["-m", *SIX[:1], "trainer.steps=200000", "trainer.execution=eager", "seed=0,1,2", "log.sinks=[]"]
    words += ["metrics=none", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    began = subprocess.Popen([sys.executable, "-m", "gantrain", *words], cwd=tmp_path, start_new_session=True)
    deadline = time.monotonic() + 120
    while sum(job.status.standing() == "running" for job in all_jobs(tmp_path)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(2)
    os.killpg(began.pid, number) if to_all else began.send_signal(number)
    assert began.wait(120) == 128 + number
    jobs = all_jobs(tmp_path)
    assert [job.status.standing() for job in jobs] == ["stopped"] * 2
    assert all((job.checkpoints.last_step() or 0) > 0 for job in jobs)


def all_jobs(folder: Path) -> list[JobFolder]:
    return [job for sweep in folder.glob("outputs/sweeps/*/*") for job in SweepFolder(sweep).jobs()]


@pytest.mark.slow
@needs("submitit_launcher")
def test_slurm_is_asked_for_what_a_run_needs(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hydra.core.utils import JobReturn, JobStatus

    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sbatch", "srun"):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/asked.sh\necho Submitted batch job 77\n')
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("submitit.core.core.Job.results", lambda self: [JobReturn(status=JobStatus.COMPLETED)])
    words = ["dataset=ring8", "seed=0,1,2", "hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu"]
    done = gantrain("-m", *words, "hydra.launcher.array_parallelism=2")
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked.sh").read_text()
    for line in ("array=0-2%2", "partition=gpu", "gpus-per-node=1", "cpus-per-task=4", "time=1440", "nodes=1"):
        assert f"#SBATCH --{line}\n" in asked
    (tmp_path / "asked.sh").unlink()
    assert gantrain("-m", *words, "trainer.device=cpu", "hydra.launcher.timeout_min=30").returncode == 0
    asked = (tmp_path / "asked.sh").read_text()
    assert "#SBATCH --time=30\n" in asked
    assert "gpus-per-node=1" not in asked
