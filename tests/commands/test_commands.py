"""The real command on real files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
    for word in ("n: null", "features:", "checkpoint:", "format=npz"):
        assert word in sample
    assert gantrain_process("--version").stdout.startswith("gantrain 0.")


def test_flags_stand_anywhere(gantrain_process: Command) -> None:
    shown = gantrain_process("trainer.steps=7", "--cfg", "job", "loss=lsgan", "-p", "loss.adversarial")
    assert "LeastSquares" in shown.stdout
    completion = gantrain_process("-sc", "install=bash")
    assert "complete" in completion.stdout
