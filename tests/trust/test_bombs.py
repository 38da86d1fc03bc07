"""Texts that are small and become huge, or nest without end, get a sentence within a second."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from conftest import Command
from strangers import GLOBAL, SMALL, lay, set_traps, state_of, train

from gantrain.config import plain_config
from gantrain.config.yaml_limits import DEEPEST, MOST, check_yaml
from gantrain.errors import UserError
from gantrain.options import CONFIGS
from gantrain.runs import JobFolder, RunFolder, SweepFolder
from gantrain.untrusted import read_json

SECONDS = 1.0
SLOW = pytest.mark.slow

LAUGHS = "a0: &a0 [" + ",".join("x" * 10) + "]\n"
LAUGHS += "".join(f"a{k}: &a{k} [{','.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 10))
MERGED = "m0: &m0 {a: 1}\n" + "".join(f"m{k}: &m{k}\n  <<: [*m{k - 1}, *m{k - 1}]\n" for k in range(1, 40))
NESTED = "n0: &n0 [1]\n" + "".join(f"n{k}: &n{k} [*n{k - 1}]\n" for k in range(1, 60))
BOMBS = {
    "billion laughs": LAUGHS,
    "merged again and again": MERGED,
    "nested by aliases": NESTED,
    "open brackets": "a: " + "[" * 200_000,
    "closed brackets": "a: " + "[" * 50_000 + "]" * 50_000,
    "open braces": "{a: " * 100_000,
    "indented": "".join(" " * k + "a:\n" for k in range(1000)),
    "in itself": "a: &a [*a]",
    "a long word": "a: " + "x" * 2_000_000,
    "many keys": "\n".join(f"k{k}: 1" for k in range(60_000)),
}


@pytest.mark.parametrize("how", BOMBS)
def test_a_yaml_bomb_is_refused_at_once(how: str) -> None:
    began = time.process_time()
    with pytest.raises(UserError, match="cannot be read"):
        plain_config(BOMBS[how], "a run")
    assert time.process_time() - began < SECONDS


def test_what_a_config_may_hold_is_read() -> None:
    for file in CONFIGS.rglob("*.yaml"):
        check_yaml(file.read_text())
    check_yaml("a: &a {b: 1}\nc:\n  <<: *a\nd: *a\n")
    check_yaml("[" * DEEPEST + "]" * DEEPEST)
    check_yaml(f"[{','.join('1' * (MOST - 1))}]")
    for more in ("[" * (DEEPEST + 1), f"[{','.join('1' * (MOST + 1))}]"):
        with pytest.raises(ValueError, match=r"it (nests|holds) more than"):
            check_yaml(more)


@pytest.mark.parametrize("how", ["billion laughs", pytest.param("open brackets", marks=SLOW)])
def test_a_bomb_in_a_config_folder(gantrain: Command, tmp_path: Path, how: str) -> None:
    for name, words in (("experiment/x", ["experiment=x"]), ("mine", ["--config-name", "mine"])):
        lay(tmp_path / "own", {name: BOMBS[how] if name == "mine" else GLOBAL + BOMBS[how]})
        done = gantrain("--config-dir", "own", *words, *SMALL)
        assert done.returncode == 2
        assert f"{name}.yaml cannot be read as a config: it " in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_bomb_in_a_checkpoint_and_in_a_run_folder(gantrain: Command, tmp_path: Path) -> None:
    run = train(tmp_path / "run")
    for bomb in (LAUGHS, BOMBS["open brackets"]):
        torch.save({**state_of(run), "config": bomb}, tmp_path / "lone.pt")
        assert gantrain("sample", "run=lone.pt").returncode == 2
        RunFolder(run).write_config(bomb)
        assert gantrain("report", f"runs={run}", "out=x.html").returncode == 0, "a report shows what is left"


DEEP = "[" * 200_000


def test_deep_json_is_damaged_json(gantrain: Command, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nests too deeply"):
        read_json(DEEP)
    run = train(tmp_path / "run")
    lines = (run / "metrics.jsonl").read_text()
    for name in ("metrics.jsonl", "status.json", "protocols.json", "evaluations.jsonl", "sinks.json"):
        (run / name).write_text(lines + DEEP if name == "metrics.jsonl" else DEEP)
    assert gantrain("report", f"runs={run}", "out=x.html").returncode == 0
    assert gantrain(f"run={run}", "trainer.steps=2").returncode == 0
    sweep = SweepFolder(tmp_path / "sweep")
    (sweep.path / "001").mkdir(parents=True)
    for text in (DEEP, json.dumps({"overrides": SMALL, "config_dir": None, "config_name": "train"})):
        sweep.plan_file.write_text(text)
        for words in (DEEP, "3", "[3]", '{"a": 1}', "{"):
            (sweep.path / "001" / "job.json").write_text(words)
            with pytest.raises(UserError, match="damaged"):
                JobFolder(sweep.path / "001").read_words()
        done = gantrain(f"run={sweep}")
        assert done.returncode == 2, done.stderr
        assert "damaged" in done.stderr


ESCAPING = {
    "a link to a file": {"experiment/x": None},
    "an absolute path": {"experiment/x": f"{GLOBAL}defaults:\n  - //{{private}}/tokens@tricks.it\n"},
    "a path upwards": {"experiment/x": f"{GLOBAL}defaults:\n  - /../private/tokens@tricks.it\n"},
    "a path with its scheme": {"experiment/x": f"{GLOBAL}defaults:\n  - file://{{private}}/tokens@tricks.it\n"},
}


@pytest.mark.parametrize("how", ["a link to a file", *(pytest.param(how, marks=SLOW) for how in ESCAPING)])
def test_no_config_copies_a_file_from_elsewhere(
    gantrain: Command, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as another program's settings, whose token would stand in the run's config."""
    set_traps(tmp_path, monkeypatch)
    private = tmp_path / "private"
    lay(private, {"tokens": "token: a-secret\n"})
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    for name, text in ESCAPING[how].items():
        if text is None:
            (tmp_path / "own" / f"{name}.yaml").symlink_to(private / "tokens.yaml")
        else:
            lay(tmp_path / "own", {name: text.replace("{private}", str(private))})
    for more in ([], ["--cfg", "job"]):
        done = gantrain("--config-dir", "own", "experiment=x", *SMALL, *more)
        assert done.returncode == 2, done.stdout
        assert "a-secret" not in done.stdout + done.stderr
    assert not (tmp_path / "outputs").exists()


YAML_OBJECTS = (
    "!!python/object/apply:os.system ['touch touched']",
    "!!python/object/new:touching.Now []",
    "!!python/name:touching.Now",
    "!!python/module:touching",
    "!!binary aGVsbG8=",
    "!!set {a, b}",
)


@pytest.mark.parametrize("value", [YAML_OBJECTS[1], *(pytest.param(value, marks=SLOW) for value in YAML_OBJECTS)])
def test_yaml_makes_no_objects(gantrain: Command, tmp_path: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = set_traps(tmp_path, monkeypatch)
    lay(tmp_path / "own", {"experiment/x": f"{GLOBAL}name: {value}\n"})
    done = gantrain("--config-dir", "own", "experiment=x", *SMALL)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.splitlines()) == 1
    if "python" in value:
        with pytest.raises(UserError, match="a run"):
            plain_config(f"name: {value}", "a run")
    assert not trace.exists()
    assert not (tmp_path / "outputs").exists()
