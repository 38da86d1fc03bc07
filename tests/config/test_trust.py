"""What a stranger's file may not do: run code, write files, read the environment, choose what is trusted."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Command, job_folder

SHORT = ["dataset=ring8", "trainer.steps=1", "trainer.batch_size=8", "trainer.device=cpu", "metrics.use=[]"]
SECRET = "a-secret-of-the-environment"
TOUCH = "{_target_: logging.FileHandler, filename: touched}"
LOGGING = "{version: 1, handlers: {x: {class: logging.FileHandler, filename: touched}}, root: {handlers: [x]}}"
GLOBAL = "# @package _global_\n"

OF_HYDRA: dict[str, tuple[dict[str, str], list[str]]] = {
    "callbacks": ({"experiment/x": f"{GLOBAL}hydra:\n  callbacks:\n    x: {TOUCH}\n"}, ["experiment=x"]),
    "callbacks of a file among others": ({"hydra/callbacks/x": f"x: {TOUCH}\n"}, ["+hydra/callbacks=x"]),
    "callbacks that a defaults list asks for": (
        {
            "hydra/callbacks/x": f"x: {TOUCH}\n",
            "experiment/x": f"{GLOBAL}defaults:\n  - /hydra/callbacks@hydra.callbacks: x\n",
        },
        ["experiment=x"],
    ),
    "callbacks of the first config": (
        {"mine": f"defaults:\n  - train\n  - _self_\nhydra:\n  callbacks:\n    x: {TOUCH}\n"},
        ["--config-name=mine"],
    ),
    "callbacks of a config of gantrain's name": (
        {"train": f"hydra:\n  callbacks:\n    x: {TOUCH}\n"},
        ["--config-name=train"],
    ),
    "trust by a package header": (
        {"experiment/x": "# @package hydra.job.env_set\nGANTRAIN_TRUST: touching\n"},
        ["experiment=x", "model._target_=touching.Now"],
    ),
    "trust by a package in a defaults list": (
        {
            "trusting/x": "GANTRAIN_TRUST: touching\n",
            "experiment/x": f"{GLOBAL}defaults:\n  - /trusting@hydra.job.env_set: x\n",
        },
        ["experiment=x", "model._target_=touching.Now"],
    ),
    "logging": ({"experiment/x": f"{GLOBAL}hydra:\n  job_logging: {LOGGING}\n"}, ["experiment=x"]),
    "logging in place of Hydra's": ({"hydra/job_logging/none": LOGGING, "hydra/output/default": "{}"}, []),
    "a choice of Hydra's groups": (
        {
            "experiment/x": f"{GLOBAL}defaults:\n  - override /hydra/output: x\n",
            "hydra/output/x": "run: {dir: touched}",
        },
        ["experiment=x"],
    ),
    "a choice among what Hydra has": (
        {"experiment/x": f"{GLOBAL}defaults:\n  - /hydra/hydra_logging/hydra_debug\n"},
        ["experiment=x"],
    ),
    "another search path": (
        {"mine": "defaults:\n  - train\n  - _self_\nhydra:\n  searchpath: ['pkg://touching']\n"},
        ["--config-name=mine"],
    ),
    "a folder to write to": ({"experiment/x": f"{GLOBAL}hydra: {{sweep: {{dir: touched}}}}\n"}, ["experiment=x"]),
    "a word of the command line's package": (
        {"loss/x": f"x: {TOUCH}\n"},
        ["+loss@hydra.callbacks=x"],
    ),
}


def lay(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that leaves a trace when it is imported, and a secret."""
    (tmp_path / "touching.py").write_text(f"open({str(tmp_path / 'touched')!r}, 'w')\n\n\nclass Now:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("GANTRAIN_TRUST", raising=False)
    monkeypatch.setenv("A_SECRET", SECRET)


@pytest.mark.parametrize("many", [False, True], ids=["one run", "sweep"])
@pytest.mark.parametrize("attack", OF_HYDRA)
def test_no_file_sets_what_is_hydras(gantrain: Command, tmp_path: Path, attack: str, many: bool) -> None:
    files, words = OF_HYDRA[attack]
    lay(tmp_path / "own", files)
    done = gantrain("--config-dir", "own", *words, *SHORT, *(["-m", "seed=0,1"] if many else []))
    assert not (tmp_path / "touched").exists()
    assert "GANTRAIN_TRUST" not in os.environ
    if attack == "logging in place of Hydra's":
        assert done.returncode == 0, "files that nothing chose do no harm"
    else:
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert not (tmp_path / "outputs").exists()


def test_the_command_line_may_set_what_is_hydras(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain(*SHORT, "-m", "seed=0,1", f"+hydra.callbacks.x={TOUCH.replace(': ', ':')}")
    assert (tmp_path / "touched").exists(), done.stderr


RESOLVERS = {
    "plain": "${oc.env:A_SECRET}",
    "escaped by YAML": '"\\x24{oc.env:A_SECRET}"',
    "escaped by OmegaConf": "'\\${oc.env:A_SECRET}'",
    "nested": "${oc.${metrics.known.word}:A_SECRET}",
    "inside": "${metrics.known.${oc.env:A_SECRET}}",
    "put together": "${metrics.known.dollar}${metrics.known.rest}",
    "decoded": "${oc.decode:'${oc.env:A_SECRET}'}",
    "Hydra's": "${hydra:job.name}",
    "the time": "${now:%Y}",
}


@pytest.mark.parametrize("many", [False, True], ids=["one run", "sweep"])
@pytest.mark.parametrize("how", RESOLVERS)
def test_no_file_reads_the_environment(gantrain: Command, tmp_path: Path, how: str, many: bool) -> None:
    parts = "metrics:\n  known:\n    word: env\n    dollar: $\n    rest: '{oc.env:A_SECRET}'\n"
    lay(tmp_path / "own", {"experiment/x": f"{GLOBAL}{parts}name: {RESOLVERS[how]}\n"})
    done = gantrain("--config-dir", "own", "experiment=x", *SHORT, *(["-m", "seed=0,1"] if many else []))
    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    "text",
    [
        f"{GLOBAL}defaults:\n  - optional /loss: ${{oc.env:A_SECRET}}\n",
        f"{GLOBAL}trainer:\n  ${{oc.env:A_SECRET}}: 3\n",
        f"{GLOBAL}tricks:\n  ema: ${{oc.env:A_SECRET}}\n",
    ],
    ids=["a defaults list", "a key", "in the place of a group"],
)
def test_no_other_place_reads_it_either(gantrain: Command, tmp_path: Path, text: str) -> None:
    lay(tmp_path / "own", {"experiment/x": text})
    done = gantrain("--config-dir", "own", "experiment=x", *SHORT)
    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr
    assert not (tmp_path / "outputs").exists()


def test_what_the_user_types_is_no_resolver_either(gantrain: Command) -> None:
    for words in (["name=${oc.env:A_SECRET}"], ["sample", "out=${oc.env:A_SECRET}"], ["loss=${oc.env:A_SECRET}"]):
        done = gantrain(*words)
        assert done.returncode == 2
        assert SECRET not in done.stderr
        assert len(done.stderr.splitlines()) == 1
    unknown = gantrain("name=${nope}", *SHORT)
    assert unknown.returncode == 2
    assert "${nope} names no key" in unknown.stderr


def test_a_defaults_list_stays_in_its_folder(gantrain: Command, tmp_path: Path) -> None:
    lay(
        tmp_path,
        {"private/x": "half_life: 3\n", "own/experiment/x": f"{GLOBAL}defaults:\n  - /../private/x@tricks.ema\n"},
    )
    done = gantrain("--config-dir", "own", "experiment=x", *SHORT)
    assert done.returncode == 2
    assert "lies outside" in done.stderr


@pytest.fixture
def checkpoint(gantrain: Command, tmp_path: Path) -> dict[str, Any]:
    assert gantrain(*SHORT, "name=it", "trainer.steps=2").returncode == 0
    (file,) = (tmp_path / "outputs").glob("*/*/checkpoints/*.pt")
    state = torch.load(file, weights_only=True)
    shutil.rmtree(tmp_path / "outputs")
    return state


def test_a_checkpoints_config_is_plain_text(gantrain: Command, tmp_path: Path, checkpoint: dict[str, Any]) -> None:
    text = checkpoint["config"]
    assert "name: it" in text
    for config in (
        text.replace("name: it", 'name: "\\x24{oc.env:A_SECRET}"'),
        text.replace("name: it", "name: ${oc.env:A_SECRET}"),
        text.replace("name: it", "name: ${seed}"),
        text.replace("name: it", "name: it\n'${oc.env:A_SECRET}': 3"),
        {"name": "${oc.env:A_SECRET}"},
        ["name"],
        b"name: it",
        "name: [",
        "a: &a [*a]",
        "word",
        3,
        None,
    ):
        torch.save({**checkpoint, "config": config}, tmp_path / "lone.pt")
        for words in (["run=lone.pt", "trainer.steps=5"], ["sample", "run=lone.pt"]):
            done = gantrain(*words)
            assert done.returncode == 2, (config, done.stderr)
            assert SECRET not in done.stdout + done.stderr
            assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    "word",
    [
        f"+hydra.callbacks.x={TOUCH.replace(': ', ':')}",
        "+hydra.job.env_set.GANTRAIN_TRUST=touching",
        "hydra.searchpath=[pkg://touching]",
        "hydra/hydra_logging=hydra_debug",
        "hydra.sweep.dir=touched",
        "name='${oc.env:A_SECRET}'",
    ],
)
def test_a_sweeps_file_sets_nothing_of_hydras(gantrain: Command, tmp_path: Path, word: str) -> None:
    (tmp_path / "sweep").mkdir()
    words = [*SHORT, "seed=0,1", word, "model._target_=touching.Now"]
    plan = {"overrides": words, "config_dir": None, "config_name": "train"}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(plan))
    done = gantrain("run=sweep")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "touched").exists()
    assert SECRET not in done.stderr
    assert [file.name for file in (tmp_path / "sweep").iterdir()] == ["sweep.json"]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"overrides": 3}', '{"overrides": [3], "config_dir": 1, "config_name": 2}']
)
def test_a_damaged_sweeps_file(gantrain: Command, tmp_path: Path, text: str) -> None:
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").write_text(text)
    done = gantrain("run=sweep")
    assert done.returncode == 2
    assert "damaged" in done.stderr


def test_ones_own_config_goes_before_a_built_in_one(gantrain: Command, tmp_path: Path) -> None:
    networks = "generator: {_target_: gantrain.networks.MLPGenerator, shape: '${data.shape}', hidden: [7]}\n"
    lay(
        tmp_path / "own", {"networks/mlp": networks, "loss/hinge": "adversarial: {_target_: gantrain.losses.Minimax}\n"}
    )
    shown = gantrain("--config-dir", "own", "dataset=ring8", "loss=hinge", "--cfg", "job")
    assert "gantrain.losses.Minimax" in shown.stdout, shown.stderr
    assert "- 7" in shown.stdout


def test_a_sweep_is_resumed_with_its_objectives(gantrain: Command, tmp_path: Path) -> None:
    """A sweeper is told the best value of metrics.best, and the same again of a job that was done before."""
    (tmp_path / "seeing.py").write_text(
        "from hydra.experimental.callback import Callback\n\nvalues = []\n\n\nclass Seen(Callback):\n"
        "    def on_job_end(self, config, job_return, **kwargs):\n        values.append(job_return.return_value)\n"
    )
    import seeing  # type: ignore[import-not-found]

    words = ["dataset=gaussian1d", "trainer.steps=30", "trainer.batch_size=16", "metrics.use=[moments,wasserstein1]"]
    words += ["metrics.best=metrics/wasserstein1", "metrics.known.wasserstein1.samples=500"]
    watch = "+hydra.callbacks.seen._target_=seeing.Seen"
    assert gantrain("-m", "metrics.every=10,null", *words, watch).returncode == 0
    (sweep,) = (tmp_path / "outputs" / "sweeps").glob("*/*")
    expected = []
    for job in ("000", "001"):
        lines = [json.loads(line) for line in (job_folder(sweep, job) / "metrics.jsonl").read_text().splitlines()]
        expected.append(min(line["metrics/wasserstein1"] for line in lines if "metrics/wasserstein1" in line))
    assert seeing.values == pytest.approx(expected)
    assert gantrain(f"run={sweep}", watch).returncode == 0
    assert seeing.values == pytest.approx(2 * expected)
    assert "hydra" not in (sweep / "sweep.json").read_text()
