"""What tests share: small configs built the way the command builds them, and the real command in a fresh folder."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig

from gantrain.cli import main
from gantrain.commands.assembly import build_game, build_learners, plain, reuses_fakes
from gantrain.config import build, complete, compose, hydra_at
from gantrain.data import DataContext
from gantrain.report.pictures import ImageGrid
from gantrain.report.plots import LinePlot, PlanePlot
from gantrain.signals import ENDING
from gantrain.training import machine as machines
from gantrain.training.machine import Machine
from gantrain.training.ranks import ALONE, Ranks
from gantrain.training.rounds import Rounds
from gantrain.training.weights import Weights

CPU = torch.device("cpu")
pytest.register_assert_rewrite("effects", "evaluations", "playing", "small", "traces", "untrained")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process alone where a GPU is tested: several would share its memory, and each its kernels' time."""
    return 1 if config.getoption("markexpr") == "gpu" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write the golden losses instead of checking them")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Packs go into a folder of this test run; a worker has one thread, and so has each command it starts."""
    os.environ["GANTRAIN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["OMP_NUM_THREADS"] = "1"
    machines._DEFAULT_THREADS = 1
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _heard_signals() -> None:
    """Of those that shells have jobs in the background ignore, and nohup too."""
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets, or the test is skipped."""
    folder = os.environ.get("GANTRAIN_DATA")
    if not folder:
        pytest.skip("GANTRAIN_DATA is not set: it names a folder with MNIST, CIFAR-10 and CelebA")
    return Path(folder).expanduser()


def config(*overrides: str) -> DictConfig:
    """The complete config for these overrides."""
    with hydra_at():
        return complete(compose(overrides))


def round_of(*overrides: str) -> Rounds:
    """A round over the real data of these overrides, ready to play."""
    return round_from(config(*overrides))


def round_from(cfg: DictConfig, ranks: Ranks = ALONE) -> Rounds:
    """A round over the real data of a complete config, ready to play by these processes."""
    game = build_game(cfg, devices=ranks.count)
    machine = Machine(CPU, torch.bfloat16 if cfg.trainer.precision.value == "bf16" else torch.float32)
    weights = Weights(ranks)
    if cfg.trainer.shard and ranks.count > 1:
        from gantrain.training.sharding import Sharded

        weights = Sharded(game, CPU, ranks)
    machine.place(game)
    batches = build(plain(cfg.dataset), "dataset").open(DataContext(Path("data"), CPU, cfg.seed))
    learners = build_learners(cfg, game)
    trainer = cfg.trainer
    sizes = (trainer.steps, trainer.batch_size, trainer.accumulate)
    more = {"ranks": ranks, "weights": weights, "reuse_fakes": reuses_fakes(cfg, game)}
    rounds = Rounds(game, learners, batches, machine, cfg.seed, *sizes, **more)
    with weights.whole(averages=True):
        rounds.begin()
    return rounds


def lines_of(file: Path) -> list[dict[str, float]]:
    """The lines of a metrics.jsonl."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def only_run(folder: Path) -> Path:
    """The folder of the only run below."""
    (run,) = [file.parent for file in folder.rglob("config.yaml")]
    return run


def job_folder(sweep: Path, number: str) -> Path:
    """The folder of a sweep's job, by its number such as 003."""
    (folder,) = sweep.glob(f"{number}*")
    return folder


def same(a: object, b: object) -> bool:
    """Whether two trees of tensors and plain values are equal, bit for bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


@pytest.fixture
def plain_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Black ones: figures take most of the time of a short run."""
    for kind in (ImageGrid, LinePlot, PlanePlot):
        monkeypatch.setattr(kind, "render", lambda *_: np.zeros((8, 8, 3), np.uint8))


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def gantrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command in an empty folder, in this process, which spares a start of Python each time."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def gantrain_process(tmp_path: Path) -> Command:
    """Runs the command in an empty folder as a user does: in a process of its own."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gantrain", *words]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=3600)

    return run


Ask = Callable[..., dict[str, Any]]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("localhost", 0))
        return int(held.getsockname()[1])


@pytest.fixture(scope="session")
def together() -> Iterator[Ask]:
    """Asks two processes how far what they play together is from what one plays alone; they stay for all tests."""
    script = str(Path(__file__).parent / "distributed" / "playing_together.py")
    shared = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port())}
    pipe = subprocess.PIPE
    pair = [
        subprocess.Popen([sys.executable, script], env={**shared, "RANK": str(k)}, stdin=pipe, stdout=pipe, text=True)
        for k in range(2)
    ]

    def ask(*words: str, double: bool = True) -> dict[str, Any]:
        for process in pair:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"words": words, "double": double}) + "\n")
            process.stdin.flush()
        assert pair[0].stdout is not None
        line = pair[0].stdout.readline()
        assert line, "the processes ended"
        return dict(json.loads(line))

    yield ask
    for process in pair:
        process.kill()
        process.communicate()
