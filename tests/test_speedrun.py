"""scripts/speedrun.py: seconds are those of training, figures those of the checkpoints, and broken rules are said."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import config, only_run
from omegaconf import DictConfig, OmegaConf

import gantrain.commands.train as training
from gantrain.cli import main
from gantrain.errors import UserError
from gantrain.runs import RunFolder, load_checkpoint

SCRIPT = Path(__file__).parents[1] / "scripts" / "speedrun.py"
SPEED = "speed/seconds_per_1000_images"
TAG = "metrics/mind_pixels"
SMALL = ["dataset=digits", "model.generator.width=16", "model.discriminator.width=16", "trainer.batch_size=4"]
SMALL += ["trainer.steps=4", "metrics.use=[mind_pixels]", f"metrics.best={TAG}", "metrics.every=2", "metrics.n=100"]
SMALL += ["log.every=1", "log.samples_every=4", "checkpoint.every=2"]


def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("speedrun", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["speedrun"] = module
    specification.loader.exec_module(module)
    return module


SPEEDRUN = script()


def test_seconds_are_the_sum_of_what_the_windows_took() -> None:
    """Ten steps of 100 images at 2 s per 1,000, then ten at 4 s; a step within a window has its share of it."""
    lines = [{"step": 10, SPEED: 2.0}, {"step": 10, TAG: 9.0}, {"step": 20, SPEED: 4.0}]
    found = SPEEDRUN.seconds_at([5, 10, 15, 20], lines, 100)
    assert found == pytest.approx({5: 1.0, 10: 2.0, 15: 4.0, 20: 6.0})
    with pytest.raises(UserError, match="logged no speed from step 20 to 21"):
        SPEEDRUN.seconds_at([21], lines, 100)


def run_of(figures: list[float], better: str = "lower") -> Any:
    points = [SPEEDRUN.Point(k, 60.0 * k, 100 * k, figure) for k, figure in enumerate(figures, 1)]
    facts: dict[str, Any] = {"run": "", "seed": 0, "command": "", "machine": "", "versions": {}, "peak_gib": None}
    return SPEEDRUN.Speedrun(**facts, metric=TAG, protocol={"better": better}, points=points, breaks=[])


def test_a_rung_is_reached_by_the_first_checkpoint_as_good_and_counts_as_the_median() -> None:
    run = run_of([30, 16.77, 20, 10])
    assert [run.reached(rung).step for rung in (25, 16.77, 12)] == [2, 2, 4]
    assert run.reached(8.5) is None
    assert run_of([1, 2, 3], "higher").reached(2).step == 2
    runs = [run_of(figures) for figures in ([30, 20, 5], [20, 10, 5], [40, 30, 20])]
    assert SPEEDRUN.rung_times(runs, 25) == 120
    assert SPEEDRUN.rung_times(runs, 5) is None, "one of them never came there"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished one, each of whose evaluations took more than a second."""
    measure = training.evaluate

    def slowly(*arguments: Any) -> dict[str, float]:
        time.sleep(1)
        return measure(*arguments)

    folder = tmp_path_factory.mktemp("speedrun")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "evaluate", slowly)
        assert main(["experiment=speedrun_cifar10", *SMALL, f"outputs_dir={folder}"]) == 0
    return only_run(folder)


def test_evaluations_are_not_counted(run: Path) -> None:
    last = RunFolder(run).checkpoints.last()
    assert last is not None
    whole = load_checkpoint(last)["progress"]["seconds"]  # up to step 4, with the evaluation of step 2
    assert 0 < SPEEDRUN.speedrun_of(run, TAG).points[-1].seconds < whole - 1


def test_a_report_has_all_of_it(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = ["--out", str(tmp_path), "--name", "tiny"]
    assert SPEEDRUN.main(["--run", str(run), "--metric", TAG, "--rungs", "1e9", "0", *places]) == 0
    held = json.loads((tmp_path / "tiny.json").read_text())
    (told,) = held["runs"]
    assert [(point["step"], point["images"]) for point in told["points"]] == [(2, 16), (4, 32)]
    first, second = (point["seconds"] for point in told["points"])
    assert 0 < first < second
    assert held["rungs"] == {"1e+09": first, "0": None}
    assert (told["protocol"]["metric"], told["seed"]) == ("MIND", 0)
    assert told["versions"]["torch"]
    assert told["machine"].startswith("cpu")
    assert "it was not made on a GPU" in told["breaks"]
    assert "log.every" not in str(told["breaks"])
    text = (tmp_path / "tiny.md").read_text()
    assert text in capsys.readouterr().out
    assert "| 0 | not reached | none |" in text
    assert (tmp_path / "tiny.png").stat().st_size > 1000


def test_a_run_may_be_judged_afterwards(run: Path, tmp_path: Path) -> None:
    """As if it had not been judged while it trained. Only figures that were measured like the last one count."""
    copy = tmp_path / "outputs" / "run"
    shutil.copytree(run, copy)
    folder = RunFolder(copy)
    lines = [{k: v for k, v in line.items() if not k.startswith("metrics/")} for line in folder.numbers.read()]
    folder.numbers.put("".join(json.dumps(line) + "\n" for line in lines).encode())
    with pytest.raises(UserError, match="has no figure metrics/mind_pixels"):
        SPEEDRUN.speedrun_of(copy, TAG)
    for step, samples, figure in [(2, 100, 5.0), (4, 100, 4.0), (4, 50, 9.0), (2, 100, 3.0)]:
        folder.evaluations.add(step, "", {TAG: figure}, {TAG: {"samples": samples}})
    found = SPEEDRUN.speedrun_of(copy, TAG)
    assert [(point.step, point.figure) for point in found.points] == [(2, 3.0), (4, 4.0)]
    assert found.protocol == {"samples": 100}


def kept(*words: str) -> DictConfig:
    """The recipe's config as a run's folder holds it."""
    cfg = OmegaConf.create(OmegaConf.to_yaml(config("experiment=speedrun_cifar10", *words)))
    assert isinstance(cfg, DictConfig)
    return cfg


def test_a_record_breaks_no_rule_and_each_rule_is_looked_at(tmp_path: Path) -> None:
    protocol = {"metric": "FID", "space": SPEEDRUN.SPACE, "samples": 50_000, "real": 50_000, "split": "train"}
    folder, broken = RunFolder(tmp_path), SPEEDRUN.broken_rules
    folder.status.begin("gantrain experiment=speedrun_cifar10", "NVIDIA H100 80GB HBM3, bf16")
    assert broken(kept(), folder, protocol) == ["it was interrupted, or has not ended"]
    folder.status.end("finished")
    assert broken(kept(), folder, protocol) == []
    for wrong in ({"samples": 10_000}, {"real": 10_000}, {"split": "held_out"}, {"space": "inception 0"}):
        assert len(broken(kept(), folder, protocol | wrong)) == 1
    for word in ("dataset.split=test", "init_from=x", "trainer.on_nonfinite=rollback", "log.every=300"):
        assert len(broken(kept(word), folder, protocol)) == 1, word
    for machine, rules in (("NVIDIA H100 80GB HBM3, bf16, 2 processes", 1), ("NVIDIA H100 80GB HBM3, bf16", 0)):
        several = RunFolder(tmp_path / str(rules))
        several.path.mkdir()
        several.status.begin("torchrun …", machine)
        several.status.end("finished")
        assert broken(kept(), several, protocol) == ["it was made on several GPUs"] * rules
    folder.status.begin("gantrain run=…", "cpu, fp32, 2 threads")
    folder.status.end("finished")
    assert len(broken(kept(), folder, protocol)) == 2, "it went on, and without a GPU"


@pytest.mark.slow
def test_the_real_command_is_timed_and_reported(tmp_path: Path) -> None:
    places = ["--outputs", str(tmp_path / "runs"), "--out", str(tmp_path / "report"), "--name", "tiny"]
    assert SPEEDRUN.main([*SMALL, "--seeds", "3,4", "--metric", TAG, *places]) == 0
    held = json.loads((tmp_path / "report" / "tiny.json").read_text())
    assert [told["seed"] for told in held["runs"]] == [3, 4]


def test_mistakes_get_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert SPEEDRUN.main(["--run", str(tmp_path)]) == 2
    assert "is no folder of a run" in capsys.readouterr().err
    assert SPEEDRUN.main(["seed=1", "--outputs", str(tmp_path)]) == 2
    assert "seed=1: this script takes --seeds" in capsys.readouterr().err
    assert SPEEDRUN.main(["trainer.steps=5", "--run", str(tmp_path)]) == 2
    assert "take no settings" in capsys.readouterr().err
