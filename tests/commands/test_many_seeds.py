"""`trainer.replicas`: several seeds at once leave what several runs would have left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from gantrain.cli import main
from gantrain.runs import RunFolder, SweepFolder, load_checkpoint

SMALL = [
    *("dataset=ring8", "model.generator.hidden=[16]", "model.discriminator.hidden=[16]", "log.every=3", "log.sinks=[]"),
    *("trainer.batch_size=16", "trainer.steps=8", "checkpoint.every=4", "metrics.every=4", "log.samples_every=8"),
    "optimizer=sgd",  # Adam's first steps are signs of gradients, and turn rounding into whole steps
]


def runs_in(outputs: Path) -> list[RunFolder]:
    (folder,) = (outputs / "sweeps").glob("*/*")
    return list(SweepFolder(folder).jobs())


def test_each_seed_is_a_run_of_its_own(tmp_path: Path) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    assert main([*SMALL, "trainer.replicas=3", "seed=5", f"outputs_dir={together}"]) == 0
    assert main([*SMALL, f"outputs_dir={alone}", "seed=6"]) == 0
    runs = runs_in(together)
    assert [run.path.name for run in runs] == ["000-seed5", "001-seed6", "002-seed7"]
    assert all(run.status.read().status == "finished" and run.report.is_file() for run in runs)
    assert all(str(run.status.read().machine).endswith(", one of 3 runs at once") for run in runs)
    (own,) = map(RunFolder, alone.glob("*/*"))
    kept = own.read_config().replace("execution: auto", "execution: eager")
    assert runs[1].read_config().replace(str(together), "") == kept.replace(str(alone), "")
    mine, its = own.numbers.read(), runs[1].numbers.read()
    assert [line["step"] for line in mine] == [line["step"] for line in its]
    timed = ("speed/", "memory/")
    for line, other in zip(mine, its, strict=True):
        shared = {"speed/device_seconds_per_1000_images"} if "speed/images_per_second" in line else set()
        assert line.keys() | shared == other.keys()
        for tag, value in line.items():
            assert tag.startswith(timed) or other[tag] == pytest.approx(value, rel=1e-3, abs=1e-5), tag
    last, same = (load_checkpoint(run.checkpoints.of_step(8))["game"] for run in (own, runs[1]))
    for name, values in last.items():
        torch.testing.assert_close(same[name], values, rtol=1e-3, atol=1e-5)
    sizes = [run.checkpoints.of_step(8).stat().st_size for run in (own, runs[1])]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05)  # no other run's weights are in it

    (sweep,) = together.glob("sweeps/*/*")
    assert main([f"run={sweep}"]) == 0
    assert [run.path.name for run in runs_in(together)] == [run.path.name for run in runs], "all were found again"

    assert main([f"run={runs[2].path}", "trainer.steps=10"]) == 0  # goes on alone
    assert load_checkpoint(runs[2].checkpoints.of_step(10))["progress"]["step"] == 10


def test_what_cannot_be_played_at_once_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SMALL, "trainer.replicas=2", f"outputs_dir={tmp_path}"]
    assert main([*words, "loss=hinge", "tricks=[unrolled]"]) == 2
    said = capsys.readouterr().err
    assert "cannot play the turns of" in said
    assert "within it is changed what takes part in gradients" in said
    assert main([*words, "tricks=[ema,spectral_norm]"]) == 2
    assert "PyTorch has no way to play aten::" in capsys.readouterr().err
    for word in (
        "trainer.accumulate=2",
        "trainer.reuse_fakes=true",
        "trainer.on_nonfinite=skip",
        "trainer.execution=compile",
    ):
        assert main([*words, word]) == 2
        assert "trainer.replicas=2 trains seeds at once, but" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_auto_would_do_alone_is_not_done_at_once(tmp_path: Path) -> None:
    """Each run by itself would make its fakes once here; and it goes on as it began."""
    words = ["dataset=digits", "model=dcgan", "model.generator.width=4", "model.discriminator.width=4"]
    words += ["trainer.batch_size=8", "trainer.steps=3", "metrics=none", "trainer.precision=fp32", "log.sinks=[]"]
    assert main([*words, "trainer.reuse_fakes=auto", "trainer.replicas=2", f"outputs_dir={tmp_path}"]) == 0
    (sweep,) = tmp_path.glob("sweeps/*/*")
    assert main([f"run={sweep}"]) == 0
    assert len(runs_in(tmp_path)) == 2, "all were found again"
    for run in runs_in(tmp_path):
        assert {"trainer.reuse_fakes=False", "trainer.execution=eager"} <= set(run.read_words())
        kept = load_checkpoint(run.checkpoints.of_step(3))
        trainer = OmegaConf.create(kept["config"]).trainer
        assert (trainer.reuse_fakes, trainer.execution, kept["execution"]) == (False, "eager", "eager")
        assert kept["progress"]["position"] == 3 * 2 * 8  # D's batches and G's own


def test_replicas_of_ones_own_pictures_are_found_again(tmp_path: Path) -> None:
    """dataset.path= alone means dataset=image_folder, in the words of each run too."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(4):
        Image.fromarray(np.full((8, 8, 3), 40 * k, np.uint8)).save(folder / f"{k}.png")
    small = ["model=mlp", "loss=nonsaturating", "optimizer=sgd", "tricks=[]", "metrics=none", "dataset.image_size=8"]
    words = [*small, "trainer.steps=2", "trainer.batch_size=4", "log.sinks=[]", f"outputs_dir={tmp_path / 'out'}"]
    assert main([f"dataset.path={folder}", *words, "trainer.replicas=2"]) == 0
    (sweep,) = (tmp_path / "out" / "sweeps").glob("*/*")
    assert main([f"run={sweep}"]) == 0
    assert [run.path.name for run in runs_in(tmp_path / "out")] == ["000-seed0", "001-seed1"]


def test_a_budget_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gantrain.commands.budgeting.measure_speed", lambda *_: pytest.fail("measured"))
    assert main(["dataset=ring8", "budget=1m", "trainer.replicas=2"]) == 2
    assert "budget=1m is of one run: set trainer.steps for trainer.replicas=2" in capsys.readouterr().err


def test_one_that_fails_leaves_the_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gantrain.training import loop
    from gantrain.training.finite import NotFinite

    check = loop._check

    def failing(run: loop.Run, numbers: dict[str, float], state: bool) -> None:
        if run.progress.step == 3 and run.rounds.seed == 1:
            raise NotFinite("made up")
        check(run, numbers, state)

    monkeypatch.setattr(loop, "_check", failing)
    assert main([*SMALL, "trainer.replicas=3", f"outputs_dir={tmp_path}"]) == 1
    assert [run.status.read().status for run in runs_in(tmp_path)] == ["finished", "failed", "finished"]
    assert [run.numbers.read()[-1]["step"] for run in runs_in(tmp_path)] == [8, 3, 8]
