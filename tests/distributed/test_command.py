"""torchrun and the real command: one folder, one voice, and no rank that outlives the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch
from conftest import Command, only_run

from gantrain.runs import load_checkpoint

RING = ["dataset=ring8", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]", "loss=hinge", "tricks=[ema]"]
RING += ["trainer.batch_size=32", "optimizer=sgd", "metrics=none", "log.every=10", "log.sinks=[]"]


def torchrun(*words: str, processes: int = 2) -> subprocess.Popen[str]:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    pipe = subprocess.PIPE
    asked = [*launch, "-m", "gantrain", *words]
    return subprocess.Popen(asked, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def last(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(folder / "checkpoints" / f"step_{step:08}.pt")["game"])


def test_a_run_of_two_processes_goes_on_in_one(gantrain: Command, tmp_path: Path) -> None:
    """It equals the run of one process, to float tolerance, before and after; its folder is one."""
    started = torchrun(*RING, "trainer.steps=20", "outputs_dir=two")
    assert gantrain(*RING, "trainer.steps=20", "outputs_dir=one").returncode == 0
    out, err = started.communicate()
    assert started.returncode == 0, err
    two, one = only_run(tmp_path / "two"), only_run(tmp_path / "one")
    assert out.count("ended at step 20") == 1
    assert "2 processes" in json.loads((two / "status.json").read_text())["machine"]
    for step in (20, 30):
        if step == 30:
            for run in (two, one):
                assert gantrain(f"run={run}", "trainer.steps=30").returncode == 0
        for name, weights in last(one, step).items():
            torch.testing.assert_close(last(two, step)[name], weights, rtol=1e-4, atol=1e-5)
    logged = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (two, one)]
    assert len(logged[0]) == len(logged[1])
    for mine, wanted in zip(*logged, strict=True):
        assert mine.keys() - {"speed/device_seconds_per_1000_images"} == wanted.keys()
        losses = [tag for tag in wanted if tag.startswith(("loss/", "logits/", "accuracy/", "grad_norm/"))]
        assert [mine[tag] for tag in losses] == pytest.approx([wanted[tag] for tag in losses], rel=1e-3, abs=1e-4)


@pytest.mark.slow
def test_one_process_under_torchrun_is_a_run_without_it(gantrain: Command, tmp_path: Path) -> None:
    out, err = torchrun(*RING, "trainer.steps=5", "outputs_dir=launched", processes=1).communicate()
    assert gantrain(*RING, "trainer.steps=5", "outputs_dir=alone").returncode == 0
    launched, alone = (last(only_run(tmp_path / name), 5) for name in ("launched", "alone"))
    assert all(torch.equal(launched[name], alone[name]) for name in alone), out + err


@pytest.mark.slow
def test_two_processes_go_on_with_a_run_of_one(gantrain: Command, tmp_path: Path) -> None:
    words = [*RING, "trainer.on_nonfinite=skip", "tricks=[experience_replay,lecam]"]
    for name in ("one", "two"):
        assert gantrain(*words, "trainer.steps=20", f"outputs_dir={name}").returncode == 0
    one, two = only_run(tmp_path / "one"), only_run(tmp_path / "two")
    assert gantrain(f"run={one}", "trainer.steps=30").returncode == 0
    started = torchrun(f"run={two}", "trainer.steps=30")
    _, err = started.communicate()
    assert started.returncode == 0, err
    for name, weights in last(one, 30).items():
        torch.testing.assert_close(last(two, 30)[name], weights, rtol=1e-4, atol=1e-5)


@contextmanager
def long_run(
    folder: Path, *words: str, once: str = "step_*.pt"
) -> Iterator[tuple[subprocess.Popen[str], dict[int, int]]]:
    """A long run that has a file of this name, and the process of each rank; nothing of it is left afterwards."""
    started = torchrun(*RING, "trainer.steps=1000000", "checkpoint.every=20", f"outputs_dir={folder}", *words)
    try:
        yield started, ranks_of(started, folder, once)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def ranks_of(started: subprocess.Popen[str], folder: Path, once: str) -> dict[int, int]:
    """The process of each rank, once there is a file of this name."""
    until = time.monotonic() + 300
    while not list(folder.rglob(once)):
        assert started.poll() is None
        assert time.monotonic() < until
        time.sleep(0.2)
    found = subprocess.run(["ps", "--ppid", str(started.pid), "-o", "pid="], capture_output=True, text=True, check=True)
    ranks = {}
    for pid in map(int, found.stdout.split()):
        variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
        ranks[int(dict(word.partition("=")[::2] for word in variables)["RANK"])] = pid
    return ranks


@pytest.mark.slow
@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_dies_ends_all(tmp_path: Path, rank: int, saved: bool) -> None:
    words = [] if saved else ["checkpoint.every=1000000"]
    with long_run(tmp_path, *words, once="step_*.pt" if saved else "metrics.jsonl") as (started, ranks):
        os.kill(ranks[rank], signal.SIGKILL)
        _, err = started.communicate(timeout=30)
    assert started.returncode != 0
    run = only_run(tmp_path)
    way_out = f"go on from its last checkpoint with run={run}" if saved else "it had saved nothing yet, start it again"
    assert err.count(f"rank {rank} of 2 is gone, and the run ends with it: {way_out}") == 1
    said = json.loads((run / "status.json").read_text())
    assert said["status"] == "failed"
    assert said["reason"].endswith(way_out)


@pytest.mark.slow
def test_a_signal_to_one_rank_stops_all_after_saving(tmp_path: Path) -> None:
    with long_run(tmp_path) as (started, ranks):
        os.kill(ranks[1], signal.SIGTERM)
        out, _ = started.communicate(timeout=300)
    run = only_run(tmp_path)
    assert json.loads((run / "status.json").read_text())["status"] == "stopped"
    assert out.count("saved at step") == 1
    step = int(out.partition("saved at step ")[2].partition(";")[0].replace(",", ""))
    assert last(run, step)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["trainer.batch_size=15"],
            "trainer.batch_size=15 is the whole run's, and 2 processes cannot share it equally",
        ),
        (["-m", "seed=0,1"], "--multirun trains runs one after the other"),
        (["loss.nothing=1"], "nothing"),
        (["tricks=[unrolled]"], "which 2 processes cannot do together"),
    ],
)
def test_what_cannot_be_is_said_once(tmp_path: Path, words: list[str], sentence: str) -> None:
    started = torchrun(*RING, *words, f"outputs_dir={tmp_path}")
    _, err = started.communicate()
    assert started.returncode != 0
    assert err.count(sentence) == 1, err
    assert not list(tmp_path.rglob("config.yaml"))
