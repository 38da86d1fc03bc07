"""`gantrain -m`: many runs under one folder."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import yaml
from conftest import Command

from gantrain.commands.sweep_jobs import label
from gantrain.commands.sweep_words import check, expanded, swept_keys
from gantrain.config import hydra_at, parse, prepare
from gantrain.options import CONFIGS, listed, options_of


def test_a_sweep_runs_all_and_names_what_failed(gantrain: Command, tmp_path: Path) -> None:
    words = [
        "dataset=ring8",
        "metrics=modes",
        "trainer.steps=4",
        "-m",
        "loss=nonsaturating,hinge",
        "tricks=[label_smoothing]",
        "seed=0,1",
    ]
    done = gantrain(*words)
    assert done.returncode == 1, done.stderr
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    assert [f.name for f in sorted(sweep.iterdir()) if f.is_dir()] == [
        "000-nonsaturating-seed0",
        "001-nonsaturating-seed1",
        "002-hinge-seed0",
        "003-hinge-seed1",
    ]
    table = (sweep / "summary.csv").read_text().splitlines()
    assert len(table) == 5
    assert "modes" in table[0]
    assert [("finished" in row, "failed" in row) for row in table[1:]] == [(True, False)] * 2 + [(False, True)] * 2
    assert "failed: 002-hinge-seed0" in done.stdout
    failed = json.loads((sweep / "002-hinge-seed0" / "status.json").read_text())
    assert failed["status"] == "failed"
    assert f"failed: 002-hinge-seed0: {failed['reason']}\n" in done.stdout
    again = gantrain(f"run={sweep}")
    assert again.returncode == 1
    assert len(re.findall(r"^job 00\d-\S+: ", again.stdout, re.MULTILINE)) == 2, "finished jobs are not run again"


def test_equal_words_are_one_job(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain("-m", "dataset=ring8", "trainer.steps=1", "metrics=none", "seed=1,1")
    assert done.returncode == 0, done.stderr
    assert [job.name for job in tmp_path.glob("outputs/sweeps/*/*/0*")] == ["000-seed1"]
    assert "finish  " not in done.stdout, "nothing is left to be done"


def test_a_sweep_that_cannot_start_writes_nothing(gantrain: Command, tmp_path: Path) -> None:
    refused = gantrain("-m", "loss=hinge,wgann", "seed=0,1")
    assert refused.returncode == 2
    assert "did you mean wgan" in refused.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_job_says_by_which_line_and_which_words_it_was_begun(gantrain: Command, tmp_path: Path) -> None:
    words = ["dataset=ring8", "trainer.steps=1", "metrics.use=[]", "name=two words", "seed=3,4"]
    assert gantrain("-m", *words).returncode == 0
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    said = json.loads((sweep / "001-seed4" / "status.json").read_text())
    assert (said["status"], said["reason"]) == ("finished", None)
    line, job = said["command"].split("  # ")
    assert line == "gantrain -m dataset=ring8 trainer.steps=1 'metrics.use=[]' 'name=two words' seed=3,4"
    assert job.startswith("001-seed4: dataset=ring8 trainer.steps=1 ")
    assert job.endswith(" seed=4")


SHORT = ["trainer.steps=2", "log.every=1", "metrics.use=[]"]


def only_sweep(folder: Path) -> Path:
    (sweep,) = folder.glob("outputs/sweeps/*/*")
    return sweep


@pytest.mark.parametrize("name", listed("sweep", options_of("sweep")))
def test_a_ready_sweep_makes_runs(name: str) -> None:
    with hydra_at():
        parsed = parse(expanded([f"sweep={name}", "optimizer=adam"] if name == "tpe" else [f"sweep={name}"], "train"))
        cfg, objective = check(parsed, "train")
    assert (objective.direction is None) == (cfg.sweep.trials is None)
    assert swept_keys(parsed) or name == "tpe"


@pytest.mark.usefixtures("plain_pictures")
def test_a_ready_sweep_gives_way_to_the_command_line(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain("-m", "sweep=losses", *SHORT, "seed=7", "loss=lsgan,hinge")
    assert done.returncode == 0, done.stderr
    sweep = only_sweep(tmp_path)
    assert sweep.parent.name == "losses"
    assert sorted(job.name for job in sweep.iterdir() if job.is_dir()) == ["000-lsgan", "001-hinge"]
    chosen = yaml.safe_load((sweep / "001-hinge" / "config.yaml").read_text())["choices"]["groups"]
    assert (chosen["dataset"], chosen["loss"], chosen["metrics"]) == ("ring8", "hinge", "modes")


@pytest.mark.usefixtures("plain_pictures")
def test_ones_own_sweep_joins_by_its_folder(gantrain: Command, tmp_path: Path) -> None:
    (tmp_path / "own" / "sweep").mkdir(parents=True)
    own = tmp_path / "own" / "sweep" / "mine.yaml"
    own.write_text("over:\n  trainer.batch_size: 8,16\n  tricks: '[],[ema,packing]'\n")
    done = gantrain("-m", "--config-dir", "own", "sweep=mine", "dataset=ring8", *SHORT)
    assert done.returncode == 0, done.stderr
    jobs = sorted(job.name for job in only_sweep(tmp_path).iterdir() if job.is_dir())
    assert jobs == [f"{k:03d}-batch_size{n}-{t}" for k, (n, t) in enumerate(product((8, 16), ("none", "ema+packing")))]
    own.write_text("over:\n  hydra.sweeper.max_batch_size: 1,2\n")
    refused = gantrain("-m", "--config-dir", "own", "sweep=mine", "dataset=ring8")
    assert refused.returncode == 2
    assert "what belongs to Hydra itself is set on the command line only" in refused.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sweep=losses"], "sweep=losses is of many runs: add --multirun, or -m"),
        (["-m", "sweep=loses"], "did you mean losses"),
        (["-m", "sweep=losses,tricks"], "sweep= takes one option"),
        (["-m", "seed=0,1", "optimizer.lr=interval(0.1,1)"], "search them with sweep=tpe"),
        (["-m", "sweep=losses", "loss=hinge,wgan", "seed=0,x"], "seed"),
        (["-m", "sweep=losses", "trainer.batch_size=8,0"], "trainer.batch_size"),
        (["-m", "dataset=ring8", "optimizer.lr=1e-3,abc"], "abc"),
        (["-m", "dataset=ring8", "optimizer.lr=1e-3,-1"], "-1"),
        (["-m", "dataset=ring8", "metrics.use=[modes],[modess]"], "there is no metric modess"),
        (["-m", "sweep=losses", "+sweep.over.seed=[1,2]"], "write its values as on a command line"),
    ],
)
def test_a_wrong_sweep_is_refused_before_it_begins(
    gantrain: Command, tmp_path: Path, words: list[str], sentence: str
) -> None:
    refused = gantrain(*words)
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.usefixtures("plain_pictures")
def test_a_job_that_another_process_runs_is_left_to_it(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("-m", "dataset=ring8", *SHORT, "seed=0,1").returncode == 0
    sweep = only_sweep(tmp_path)
    shutil.rmtree(sweep / "001-seed1" / "checkpoints")
    (sweep / "001-seed1" / "status.json").unlink()
    code = "import sys, pathlib, gantrain.runs as runs\nwith runs.JobFolder(pathlib.Path(sys.argv[1])).held(False):\n"
    code += "    print(flush=True)\n    input()"
    holding = [sys.executable, "-c", code, str(sweep / "001-seed1")]
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        done = gantrain(f"run={sweep}")
        assert "job 001-seed1 is being run by another process" in done.stdout
        assert not (sweep / "001-seed1" / "status.json").exists()
        holder.kill()
    assert gantrain(f"run={sweep}").returncode == 0
    assert json.loads((sweep / "001-seed1" / "status.json").read_text())["status"] == "finished"


def test_labels_of_jobs() -> None:
    words = [
        "dataset=ring8",
        "loss=hinge",
        "tricks=[ema, packing]",
        "seed=3",
        "+a.lr=0.00123456",
        "optimizer.beta1=0.5",
    ]
    swept = ["loss", "tricks", "seed", "a.lr", "optimizer.beta1"]
    assert label(words, swept) == "hinge-ema+packing-seed3-lr0.00123-beta1_0.5"
    assert label(["dataset.path='a b/ü'", "tricks=[]"], ["dataset.path", "tricks"]) == "path_a_b_ü-none"


def document_lines() -> list[str]:
    """What docs/sweeps.md tells a user to type for a sweep, without Hydra's own settings."""
    text = (CONFIGS.parent / "docs" / "sweeps.md").read_text()
    lines = (line.partition("  #")[0].strip() for line in text.splitlines() if line.startswith("gantrain -m "))
    return [line for line in lines if "--config-dir" not in line]


@pytest.mark.slow
@pytest.mark.parametrize("line", document_lines())
def test_a_documented_sweep_makes_runs(line: str) -> None:
    words = [prepare(word, True) for word in shlex.split(line)[2:] if not word.startswith("hydra")]
    with hydra_at():
        check(parse(expanded(words, "train")), "train")
