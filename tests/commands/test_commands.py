"""The real command on real files."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, lines_of, only_run
from omegaconf import OmegaConf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SHORT = ["trainer.steps=6", "trainer.batch_size=8", "log.every=2", "log.samples_every=3"]
DCGAN = ["model=dcgan", "model.generator.width=8", "model.discriminator.width=8"]


def lines(run: Path) -> list[dict[str, float]]:
    return lines_of(run / "metrics.jsonl")


def state(file: Path) -> dict[str, object]:
    return torch.load(file, weights_only=True)


def equal(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return isinstance(b, type(a)) and len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def test_a_run_leaves_what_it_promises(gantrain_process: Command, tmp_path: Path) -> None:
    done = gantrain_process(*SHORT, *DCGAN, "log.histograms_every=6", "loss=nonsaturating")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert run.parent.name == "digits-dcgan-nonsaturating"
    for word in ("tensorboard --logdir", "gantrain sample run=", "gantrain run="):
        assert word in done.stdout
    assert json.loads((run / "status.json").read_text())["status"] == "finished"
    names = {file.name for file in (run / "samples").iterdir()}
    assert names >= {"00000000.png", "00000003.png", "00000006.png", "final.png", "real.png", "training.gif"}
    assert [f.name for f in (run / "checkpoints").iterdir()] == ["step_00000006.pt"]
    assert "step 6 of 6" in (run / "run.log").read_text()
    tags = {tag for line in lines(run) for tag in line}
    assert tags >= {
        *("loss/discriminator/adversarial", "loss/discriminator/total", "loss/generator/adversarial"),
        *("logits/discriminator/real", "logits/discriminator/fake", "probability/discriminator/real"),
        *("accuracy/discriminator", "grad_norm/discriminator", "grad_norm/generator", "lr/generator"),
        *("speed/images_per_second", "speed/seconds_per_1000_images", "speed/data_wait"),
    }
    board = EventAccumulator(str(run), size_guidance={"images": 0}).Reload()
    shown = board.Tags()
    assert set(shown["scalars"]) >= tags - {"step"}
    assert set(shown["images"]) == {"samples", "real"}
    assert "weight/generator/net.1.weight" in shown["histograms"]
    assert "grad/discriminator/head.weight" in shown["histograms"]
    saved = OmegaConf.load(run / "config.yaml")
    assert saved.model.discriminator.norm == "batch"


def test_printed_config_is_the_truth(gantrain: Command) -> None:
    shown = gantrain("model=dcgan", "loss=wgan_gp", "--cfg", "job", "--resolve")
    assert shown.returncode == 0, shown.stderr
    cfg = OmegaConf.create(shown.stdout)
    assert (cfg.model.discriminator.norm, cfg.loss.n_critic, cfg.optimizer.betas) == ("layer", 5, [0.0, 0.9])
    part = gantrain("--cfg", "job", "-p", "trainer", "trainer.steps=7")
    assert OmegaConf.create(part.stdout).steps == 7


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
    assert equal(a["game"], b["game"])
    assert equal(a["optimizers"], b["optimizers"])
    assert a["progress"]["position"] == b["progress"]["position"]  # type: ignore[index]
    clocks = ("speed/images_per_second", "speed/seconds_per_1000_images", "speed/data_wait")
    kept = [[{k: v for k, v in line.items() if k not in clocks} for line in lines(run)] for run in (first, second)]
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
        deadline = time.monotonic() + 60
        while not list((tmp_path / str(int(number))).glob("*/*/checkpoints/step_*.pt")):
            assert time.monotonic() < deadline
            assert process.poll() is None
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == code
        (run,) = (tmp_path / str(int(number))).glob("*/*")
        if code > 0:
            assert "go on with: gantrain run=" in out
            assert json.loads((run / "status.json").read_text())["status"] == "stopped"
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
    assert equal(a["game"], b["game"])


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


def test_samples(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*SHORT, *DCGAN).returncode == 0
    run = only_run(tmp_path)
    made = [gantrain("sample", f"run={run}", "n=10", "format=npz", f"seed={s}", f"out={s}.npz") for s in (0, 0, 1)]
    assert all(m.returncode == 0 for m in made), made[0].stderr
    zero, one = (np.load(tmp_path / f"{s}.npz") for s in (0, 1))
    assert zero.files[0] == "samples"
    assert zero["samples"].shape == (10, 16, 16, 1)
    assert zero["samples"].dtype == np.uint8
    assert not np.array_equal(zero["samples"], one["samples"])
    raw = gantrain("sample", f"run={run}", "n=10", "format=npz", "ema=false", "out=raw.npz")
    assert raw.returncode == 0
    assert not np.array_equal(zero["samples"], np.load(tmp_path / "raw.npz")["samples"])
    file = run / "checkpoints" / "step_00000006.pt"
    alone = tmp_path / "alone.pt"
    alone.write_bytes(file.read_bytes())
    grid = gantrain("sample", f"run={alone}", "n=4", "out=grid.png")
    assert grid.returncode == 0, grid.stderr
    assert Image.open(tmp_path / "grid.png").width >= 300
    assert gantrain("sample", f"run={alone}", "n=4").returncode == 0
    assert (tmp_path / "samples" / "step6_n4_seed0.png").is_file()
    by_suffix = gantrain("sample", f"run={run}", "n=4", "out=by_suffix.npz")
    assert by_suffix.returncode == 0
    assert np.load(tmp_path / "by_suffix.npz")["samples"].shape[0] == 4
    for words, sentence in (
        (["n=0"], "n must be"),
        (["format=bmp"], "png or npz"),
        (["checkpoint=9"], "has the steps 6"),
    ):
        refused = gantrain("sample", f"run={run}", *words)
        assert refused.returncode == 2
        assert sentence in refused.stderr


@pytest.mark.parametrize("dataset", ["ring8", "gaussian1d"])
def test_a_picture_of_numbers(gantrain: Command, tmp_path: Path, dataset: str) -> None:
    assert gantrain(f"dataset={dataset}", "trainer.steps=3").returncode == 0
    done = gantrain("sample", f"run={only_run(tmp_path)}", "n=50", "out=p.png")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert (tmp_path / "p.png").is_file()


def test_a_failing_metric_does_not_cost_the_run(gantrain_process: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from gantrain.metrics import Metric\n\n\nclass Broken(Metric):\n"
        "    def __call__(self, evaluation):\n        raise RuntimeError('no')\n"
    )
    words = ["+metrics.known.broken._target_=mine.Broken", "metrics.use=[broken]", "--trust=mine"]
    done = gantrain_process("dataset=ring8", "trainer.steps=3", *words)
    assert done.returncode == 1
    run = only_run(tmp_path)
    assert (run / "checkpoints" / "step_00000003.pt").is_file()
    assert gantrain_process("sample", f"run={run}").returncode == 0


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


def test_a_sweep_runs_all_and_names_what_failed(gantrain: Command, tmp_path: Path) -> None:
    words = [
        "dataset=ring8",
        "trainer.steps=4",
        "-m",
        "loss=nonsaturating,hinge",
        "tricks=[label_smoothing]",
        "seed=0,1",
    ]
    done = gantrain(*words)
    assert done.returncode == 1, done.stderr
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    assert [f.name for f in sorted(sweep.iterdir()) if f.is_dir()] == ["000", "001", "002", "003"]
    table = (sweep / "summary.csv").read_text().splitlines()
    assert len(table) == 5
    assert "modes" in table[0]
    assert [("finished" in row, "failed" in row) for row in table[1:]] == [(True, False)] * 2 + [(False, True)] * 2
    assert "failed: 002" in done.stdout
    again = gantrain(f"run={sweep}")
    assert again.returncode == 1
    assert len(re.findall(r"^job 00\d:", again.stdout, re.MULTILINE)) == 2, "finished jobs are not run again"


def test_a_sweep_that_cannot_start_writes_nothing(gantrain: Command, tmp_path: Path) -> None:
    refused = gantrain("-m", "loss=hinge,wgann", "seed=0,1")
    assert refused.returncode == 2
    assert "did you mean wgan" in refused.stderr
    assert not (tmp_path / "outputs").exists()


def test_ones_own_model_and_loss(gantrain_process: Command, tmp_path: Path) -> None:
    """A package and configs beside each other, as the README shows, and trust only by the user's own word."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text(
        "from gantrain.losses import Wasserstein\n"
        "from gantrain.networks import MLPDiscriminator\n\n\n"
        "class Squared(Wasserstein):\n"
        "    def __init__(self, scale: float = 1.0) -> None:\n"
        "        self.scale = scale\n\n"
        "    def discriminator(self, real, fake):\n"
        "        return super().discriminator(real, fake) + self.scale * (real**2).mean()\n\n\n"
        "class Judge(MLPDiscriminator):\n"
        "    pass\n"
    )
    for group, name, text in (
        ("loss", "squared", "adversarial:\n  _target_: mine.Squared\n  scale: 0.5\n"),
        ("model", "mine", "defaults:\n  - mlp\n  - _self_\ndiscriminator:\n  _target_: mine.Judge\n  hidden: [4]\n"),
    ):
        (tmp_path / "own" / group).mkdir(parents=True)
        (tmp_path / "own" / group / f"{name}.yaml").write_text(text)
    words = ["--config-dir", "own", "dataset=ring8", "model=mine", "loss=squared", *SHORT]
    refused = gantrain_process(*words)
    assert refused.returncode == 2
    assert "--trust=mine" in refused.stderr
    done = gantrain_process(*words, "--trust", "mine")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert OmegaConf.load(run / "config.yaml").loss.adversarial.scale == 0.5
    unknown = gantrain_process(*words, "--trust=mine", "loss.adversarial.scael=1")
    assert "did you mean loss.adversarial.scale" in unknown.stderr


def test_debug_modes(gantrain: Command, tmp_path: Path) -> None:
    dry = gantrain("debug=dry", "model=dcgan")
    assert dry.returncode == 0, dry.stderr
    for word in ("ConvTranspose2d", "parameters", "one step of 64 samples", "grad_norm/generator"):
        assert word in dry.stdout
    assert not (tmp_path / "outputs").exists()
    overfit = gantrain("debug=overfit", "debug.overfit=4", *SHORT, "model=mlp")
    assert overfit.returncode == 0, overfit.stderr


def test_minutes_end_a_run(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain("dataset=ring8", "trainer.steps=10000000", "trainer.minutes=0.03", "metrics.use=[]")
    assert done.returncode == 0, done.stderr
    assert "minutes are over" in done.stdout
    again = gantrain(f"run={only_run(tmp_path)}")
    assert again.returncode == 2
    assert "trainer.minutes=0.03: set more" in again.stderr


def test_a_loss_that_is_no_number_fails_and_keeps_the_last_good_checkpoint(gantrain: Command, tmp_path: Path) -> None:
    words = ["loss=lsgan", "optimizer=sgd", "optimizer.lr=0.3"]
    done = gantrain("dataset=ring8", *words, "trainer.steps=200", "checkpoint.every=1", "log.every=1")
    assert done.returncode == 1
    assert "start anew from the last good" in done.stderr
    run = only_run(tmp_path)
    assert json.loads((run / "status.json").read_text())["status"] == "failed"
    assert "NotFinite" in (run / "run.log").read_text()
    assert list((run / "checkpoints").glob("*.pt"))


def test_words_with_signs_that_hydra_would_read(gantrain: Command, tmp_path: Path) -> None:
    folder = tmp_path / "größe (1) = it's #1"
    folder.mkdir()
    for k in range(8):
        Image.new("RGB", (12, 12), (k * 30, 0, 0)).save(folder / f"{k}.png")
    done = gantrain(
        "dataset=image_folder", f"dataset.path={folder}", "dataset.image_size=16", *DCGAN, *SHORT, "name=a (b)"
    )
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert run.parent.name == "a (b)"
    assert OmegaConf.load(run / "config.yaml").dataset.path == str(folder)
    assert gantrain("sample", f"run={run}", "n=4").returncode == 0
    assert gantrain(f"run={run}", "trainer.steps=7").returncode == 0


def test_numbers_come_back_in_their_own_units(gantrain: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.random.default_rng(0).normal([100, -3, 0], [5, 0.1, 1], (400, 3)))
    done = gantrain("dataset=array", "dataset.path=t.npy", "trainer.steps=20")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    assert gantrain("sample", f"run={run}", "n=500", "format=npz", "out=s.npz").returncode == 0
    samples = np.load(tmp_path / "s.npz")["samples"]
    assert (samples.shape, samples.dtype) == ((500, 3), np.float32)
    assert 80 < samples[:, 0].mean() < 120


def test_best_checkpoint(gantrain: Command, tmp_path: Path) -> None:
    words = ["dataset=gaussian1d", "trainer.steps=40", "metrics.every=10", "metrics.best=metrics/wasserstein1"]
    assert gantrain(*words, "metrics.use=[wasserstein1]").returncode == 0
    run = only_run(tmp_path)
    figures = {line["step"]: line["metrics/wasserstein1"] for line in lines(run) if "metrics/wasserstein1" in line}
    best = state(run / "checkpoints" / "best.pt")
    assert best["progress"]["step"] == min(figures, key=lambda k: figures[k])  # type: ignore[index]
    assert gantrain("sample", f"run={run}", "checkpoint=best").returncode == 0


def test_help_is_quick_and_lists_every_option(gantrain_process: Command) -> None:
    script = "import sys; from gantrain.cli import main; main(['--help']); print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.endswith("False\n"), "help must not wait for torch"
    for word in ("dcgan", "wgan_gp", "ring8", "label_smoothing", "gantrain sample", "experiment=", "--config-dir"):
        assert word in shown
    sample = gantrain_process("sample", "--help").stdout
    for word in ("n: 64", "checkpoint:", "format=npz"):
        assert word in sample
    assert gantrain_process("--version").stdout.startswith("gantrain 0.")


def test_flags_stand_anywhere(gantrain_process: Command) -> None:
    shown = gantrain_process("trainer.steps=7", "--cfg", "job", "loss=lsgan", "-p", "loss.adversarial")
    assert "LeastSquares" in shown.stdout
    completion = gantrain_process("-sc", "install=bash")
    assert "complete" in completion.stdout
