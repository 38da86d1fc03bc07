"""`gantrain run=…`: a run that goes on equals one that never stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, lines_of, only_run, same
from PIL import Image

SHORT = ["trainer.steps=6", "trainer.batch_size=8", "log.every=2", "log.samples_every=3"]
DCGAN = ["model=dcgan", "model.generator.width=8", "model.discriminator.width=8"]


def lines(run: Path) -> list[dict[str, float]]:
    return lines_of(run / "metrics.jsonl")


def state(file: Path) -> dict[str, object]:
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize(
    "words",
    [
        ["dataset=ring8"],
        [
            "dataset=digits",
            *DCGAN,
            "loss=wgan_gp",
            "loss.n_critic=2",
            "tricks=[ema,gradient_clipping]",
            "trainer.accumulate=2",
        ],
        ["dataset=digits", *DCGAN, "loss=nonsaturating", "trainer.data_budget=1000"],
    ],
    ids=["mlp", "dcgan", "streamed"],
)
def test_interrupted_and_resumed_equals_straight(gantrain: Command, tmp_path: Path, words: list[str]) -> None:
    """100 steps straight equal 100 interrupted at 60 and resumed, bit for bit: weights, numbers, pictures."""
    common = [
        *words,
        "trainer.batch_size=8",
        "log.every=10",
        "checkpoint.every=20",
        "checkpoint.keep=9",
        "metrics.use=[]",
    ]
    straight = gantrain(*common, "trainer.steps=100", "outputs_dir=straight")
    assert straight.returncode == 0, straight.stderr
    (first,) = (tmp_path / "straight").glob("*/*")

    # as if killed after step 60: what a dead run leaves is a folder with its last checkpoint
    broken = gantrain(*common, "trainer.steps=100", "outputs_dir=broken")
    assert broken.returncode == 0, broken.stderr
    (second,) = (tmp_path / "broken").glob("*/*")
    for step in (80, 100):
        (second / "checkpoints" / f"step_{step:08d}.pt").unlink()
    resumed = gantrain(f"run={second}")
    assert resumed.returncode == 0, resumed.stderr
    assert "going on from step 60" in resumed.stdout

    a, b = (state(run / "checkpoints" / "step_00000100.pt") for run in (first, second))
    assert same(a["game"], b["game"])
    assert same(a["optimizers"], b["optimizers"])
    assert a["progress"]["position"] == b["progress"]["position"]  # type: ignore[index]
    of_the_machine = ("speed/", "memory/")  # clocks, and the most that the process ever held
    kept = [
        [{k: v for k, v in line.items() if not k.startswith(of_the_machine)} for line in lines(run)]
        for run in (first, second)
    ]
    assert kept[0] == kept[1]
    final = [np.asarray(Image.open(run / "samples" / "final.png")) for run in (first, second)]
    assert np.array_equal(*final)


def test_a_killed_run_goes_on(gantrain_process: Command, tmp_path: Path) -> None:
    """SIGKILL at any moment leaves a whole checkpoint; SIGINT finishes the step, saves and says so."""
    words = ["dataset=ring8", "trainer.steps=100000", "checkpoint.every=5", "metrics.use=[]", "name=long"]
    for number, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = subprocess.Popen(
            [sys.executable, "-m", "gantrain", *words, f"outputs_dir={number}"],
            cwd=tmp_path, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        deadline = time.monotonic() + 240
        while not list((tmp_path / str(int(number))).glob("*/*/checkpoints/step_*.pt")):
            assert time.monotonic() < deadline
            assert process.poll() is None
        sent = time.time()
        process.send_signal(number)
        out, _ = process.communicate(timeout=240)
        assert process.returncode == code
        (run,) = (tmp_path / str(int(number))).glob("*/*")
        if code > 0:
            assert "go on with: gantrain run=" in out
            assert json.loads((run / "status.json").read_text())["status"] == "stopped"
            saved = max(file.stat().st_mtime for file in (run / "checkpoints").glob("step_*.pt"))
            assert 0 <= saved - sent < 10, "seconds, after which a cluster ends what still runs"
        step = max(int(f.stem[5:]) for f in (run / "checkpoints").glob("step_*.pt"))
        went_on = gantrain_process(f"run={run}", f"trainer.steps={step + 3}")
        assert went_on.returncode == 0, went_on.stderr


def test_what_may_change_when_a_run_goes_on(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("dataset=ring8", *SHORT).returncode == 0
    run = only_run(tmp_path)
    ended = gantrain(f"run={run}")
    assert ended.returncode == 2
    assert "trainer.steps=6 ends it" in ended.stderr
    refused = gantrain(f"run={run}", "loss=hinge")
    assert refused.returncode == 2
    assert "loss cannot change" in refused.stderr
    longer = gantrain(f"run={run}", "trainer.steps=8", "log.every=1")
    assert longer.returncode == 0, longer.stderr
    assert [line["step"] for line in lines(run) if "lr/generator" in line] == [2, 4, 6, 7, 8]


def test_an_older_checkpoint_goes_on_in_a_new_folder(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("dataset=ring8", *SHORT, "checkpoint.every=3").returncode == 0
    run = only_run(tmp_path)
    forked = gantrain(f"run={run / 'checkpoints' / 'step_00000003.pt'}")
    assert forked.returncode == 0, forked.stderr
    assert "in a new folder" in forked.stdout
    (fork,) = [f.parent for f in tmp_path.glob("outputs/*/*/config.yaml") if f.parent != run]
    a, b = (state(folder / "checkpoints" / "step_00000006.pt") for folder in (run, fork))
    assert same(a["game"], b["game"])


def test_a_folder_without_its_config_goes_on_elsewhere(gantrain: Command, tmp_path: Path) -> None:
    """It says nothing of where its run belongs; what it has logged comes along."""
    assert gantrain("dataset=ring8", *SHORT, "outputs_dir=here").returncode == 0
    run = only_run(tmp_path)
    (run / "config.yaml").unlink()
    before = sorted((file.name, file.stat().st_mtime_ns) for file in run.rglob("*"))
    done = gantrain(f"run={run}", "trainer.steps=8")
    assert done.returncode == 0, done.stderr
    assert "in a new folder" in done.stdout
    fork = only_run(tmp_path / "outputs")
    assert [line["step"] for line in lines(fork) if "lr/generator" in line] == [2, 4, 6, 8]
    assert sorted((file.name, file.stat().st_mtime_ns) for file in run.rglob("*")) == before


def test_init_from_starts_anew_from_old_weights(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("dataset=ring8", *SHORT, "outputs_dir=old").returncode == 0
    (old,) = (tmp_path / "old").glob("*/*")
    words = ["dataset=ring8", f"init_from={old}", "optimizer.lr=0", "trainer.steps=1", "outputs_dir=new"]
    done = gantrain(*words)
    assert done.returncode == 0, done.stderr
    (new,) = (tmp_path / "new").glob("*/*")
    a, b = (state(next((run / "checkpoints").iterdir())) for run in (old, new))
    weight = "generator.net.0.0.weight"
    assert torch.equal(a["game"][weight], b["game"][weight])  # type: ignore[index]
    wrong = gantrain(f"init_from={old}", "outputs_dir=other")
    assert wrong.returncode == 2
    assert "do not fit" in wrong.stderr


def test_a_run_that_is_running_is_left_alone(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("dataset=ring8", "trainer.steps=3").returncode == 0
    run = only_run(tmp_path)
    (run / "status.json").write_text(json.dumps({"status": "running", "reason": None, "pid": os.getppid()}))
    refused = gantrain(f"run={run}", "trainer.steps=5")
    assert refused.returncode == 2
    assert "stop it first" in refused.stderr


def test_a_strangers_checkpoint_does_not_say_where_to_write(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("dataset=ring8", "trainer.steps=3", "outputs_dir=here").returncode == 0
    (run,) = (tmp_path / "here").glob("*/*")
    held = state(run / "checkpoints" / "step_00000003.pt")
    text = str(held["config"]).replace("outputs_dir: here", "outputs_dir: ../../away")
    torch.save({**held, "config": text.replace("name: ring8", "name: ../../../away/ring8")}, tmp_path / "lone.pt")
    done = gantrain("run=lone.pt", "trainer.steps=5")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "outputs").glob("*/*/config.yaml"))
    assert not list(tmp_path.parent.glob("away*"))
    torch.save({**held, "config": text.replace("name: ring8", "name: ${oc.env:HOME}")}, tmp_path / "lone.pt")
    assert "not to be trusted" in gantrain("run=lone.pt", "trainer.steps=5").stderr
