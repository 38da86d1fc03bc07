"""What a real run says of its health: while it trains, at its end, in its files, and when it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conftest import Command, lines_of, only_run, same
from PIL import Image

from gantrain.commands.probing import Probe
from gantrain.commands.verdict import WIDTH, verdict_lines
from gantrain.health import Health, Verdict, facts_of

pytestmark = pytest.mark.usefixtures("plain_pictures")

RING = [
    "dataset=ring8",
    "trainer.batch_size=32",
    "log.every=5",
    "log.samples_every=20",
    "metrics.known.modes.samples=200",
]
RING += ["model.generator.hidden=[16,16]", "model.discriminator.hidden=[16,16]", "trainer.steps=60"]
SICK = [*RING, "optimizer.discriminator.lr=0.0"]


def status(run: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((run / "status.json").read_text())
    return held


def test_a_sick_run_says_so_once_and_at_its_end(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain(*SICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("a player does not learn") == 2, "in the log, and in the verdict"
    assert "health  step 15: a player does not learn: the parameters of discriminator" in done.stdout
    verdict = done.stdout[done.stdout.index("verdict ") :].splitlines()
    assert verdict[0] == "verdict it does not work: a player does not learn"
    assert [line for line in verdict if line.startswith("try ")] == [
        "try     give it a learning rate: optimizer.discriminator.lr=2e-4"
    ]
    assert "look    " in done.stdout[done.stdout.index("verdict ") :], "hints follow"
    run = only_run(tmp_path)
    said = status(run)
    assert said["status"] == "finished"
    assert said["verdict"]["state"] == "failing"
    assert said["findings"][0]["name"] == "no_updates"
    assert said["findings"][0]["step"] == 15
    assert "a player does not learn" in (run / "run.log").read_text()
    assert "health/no_updates" in (next(run.glob("events*"))).read_bytes().decode(errors="ignore")


def test_the_files_alone_tell_the_same(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*SICK).returncode == 0
    run = only_run(tmp_path)
    health = Health(facts_of(yaml.safe_load((run / "config.yaml").read_text())))
    lines = lines_of(run / "metrics.jsonl")
    health.replay(lines)
    figures = {tag: value for line in lines for tag, value in line.items() if tag.startswith("metrics/")}
    assert [found.name for found in health.findings] == [found["name"] for found in status(run)["findings"]]
    assert health.verdict(figures).sentence == status(run)["verdict"]["sentence"]
    assert list(health.verdict(figures).evidence) == status(run)["verdict"]["evidence"]


def test_a_run_that_goes_on_does_not_say_it_again(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain(*SICK, "trainer.steps=40", "outputs_dir=parts").returncode == 0
    run = only_run(tmp_path / "parts")
    done = gantrain(f"run={run}", "trainer.steps=60")
    assert "health  step" not in done.stdout.replace("health  step 60", ""), done.stdout
    assert "verdict it does not work: a player does not learn" in done.stdout
    assert status(run)["findings"][0]["step"] == 15


def test_looking_changes_nothing(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["dataset=digits", "dataset.held_out=360", "model=dcgan", "model.generator.width=4", "trainer.steps=6"]
    words += [
        "model.discriminator.width=4",
        "trainer.batch_size=8",
        "log.samples_every=2",
        "tricks=[ema,spectral_norm]",
    ]
    assert gantrain(*words, "outputs_dir=looked").returncode == 0
    monkeypatch.setattr(Probe, "__call__", lambda *_: {})
    assert gantrain(*words, "outputs_dir=blind").returncode == 0
    runs = [only_run(tmp_path / name) for name in ("looked", "blind")]
    looked, blind = (torch.load(run / "checkpoints" / "step_00000006.pt", weights_only=True) for run in runs)
    assert same(looked["game"], blind["game"])
    assert same(looked["optimizers"], blind["optimizers"])
    tags = [{tag for line in lines_of(run / "metrics.jsonl") for tag in line} for run in runs]
    new = {tag.removeprefix("health/") for tag in tags[0] - tags[1]}
    assert new == {
        *("energy_distance", "missing", "missing_classes", "label_excess", "copied", "spectrum", "training_samples"),
        *("weights/generator", "weights/discriminator"),
    }


def test_black_pictures_are_found(gantrain: Command, tmp_path: Path) -> None:
    (tmp_path / "black").mkdir()
    for number in range(30):
        Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "black" / f"{number}.png")
    words = ["dataset=image_folder", f"dataset.path={tmp_path / 'black'}", "dataset.image_size=16", "model=mlp"]
    words += ["loss=nonsaturating", "trainer.steps=12", "trainer.batch_size=8", "log.every=2", "log.samples_every=4"]
    done = gantrain(*words, "outputs_dir=out")
    assert done.returncode == 0, done.stderr
    assert "verdict it does not work: real samples are all the same" in done.stdout
    names = [found["name"] for found in status(only_run(tmp_path / "out"))["findings"]]
    assert {"constant_data", "few_samples"} <= set(names)


def test_a_run_that_leaves_the_numbers_has_a_verdict_too(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain(*RING, "optimizer=sgd", "optimizer.lr=1e12", "loss=nonsaturating")
    assert done.returncode != 0
    assert "verdict it does not work: numbers have left the range of floats" in done.stdout
    said = status(only_run(tmp_path))
    assert said["status"] == "failed"
    assert said["verdict"]["state"] == "failing"
    assert [found["name"] for found in said["findings"]] == ["not_finite"]


def test_jobs_of_a_sweep_say_one_line_each(gantrain: Command) -> None:
    done = gantrain("-m", *RING, "seed=0,1")
    assert done.stdout.count("verdict ") == 2, done.stdout
    assert "why     " not in done.stdout


GAMES = [
    "acgan_digits",
    "bigan_digits",
    "cgan_digits",
    "gman_ring8",
    "infogan_digits",
    "madgan_ring8",
    "triplegan_digits",
]


@pytest.mark.parametrize("game", GAMES)
def test_samples_of_every_game_are_looked_at(gantrain: Command, tmp_path: Path, game: str) -> None:
    held_out = ["dataset.held_out=360"] if game.endswith("digits") else []
    done = gantrain(f"experiment={game}", "trainer.steps=2", "trainer.batch_size=8", "metrics.use=[]", *held_out)
    assert done.returncode == 0, done.stderr
    lines = lines_of(only_run(tmp_path) / "metrics.jsonl")
    looked = [line for line in lines if "health/energy_distance" in line]
    assert [line["step"] for line in looked] == [0, 2]
    assert all(value is not None for line in looked for value in line.values())


def test_lines_of_a_verdict_are_wrapped_and_name_the_run() -> None:
    verdict = Verdict("unknown", "no sign of trouble", ("a word " * 40, "short"), "train longer: gantrain run=… seed=1")
    lines = verdict_lines(verdict, "/outputs/ring8")
    assert lines[0] == "verdict no sign of trouble"
    assert all(len(line) <= WIDTH for line in lines)
    assert lines[-1] == "try     train longer: gantrain run=/outputs/ring8 seed=1"
    assert sum(line.startswith("why     ") for line in lines) == 2
