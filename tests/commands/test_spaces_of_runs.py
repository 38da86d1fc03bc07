"""Feature spaces by the command line: what a run measures, leaves as it was, and refuses."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch
from conftest import Command, lines_of, only_run, same
from PIL import Image

from gantrain.metrics import classifier

DIGITS = ("dataset=digits", "dataset.image_size=8", "model=mlp", "trainer.steps=4")
USED = ("fid_classifier", "mind_classifier", "kid_classifier", "inception_score_classifier", "fid_discriminator")
FEW = ("fid", "mind", "kid", "inception_score")


@pytest.fixture(autouse=True)
def quick(plain_pictures: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "LEAST", 40)
    monkeypatch.setattr(classifier, "PASSES", 1)


def test_a_run_that_evaluates_equals_one_that_does_not(gantrain: Command, tmp_path: Path) -> None:
    """Bit for bit, though its first evaluation trains a classifier."""
    samples = [f"metrics.known.{name}.samples=300" for name in FEW]
    words = {"plain": [], "judged": ["metrics.every=2", f"metrics.use=[{','.join(USED)}]", *samples]}
    found = {}
    for name, more in words.items():
        done = gantrain(*DIGITS, "metrics=none", f"outputs_dir={name}", *more)
        assert done.returncode == 0, done.stderr
        (file,) = (only_run(tmp_path / name) / "checkpoints").glob("step_*.pt")
        found[name] = torch.load(file, weights_only=True)
    for part in found["plain"].keys() - {"config", "progress", "logged"}:
        assert same(found["plain"][part], found["judged"][part]), part
    run = only_run(tmp_path / "judged")
    tags = {f"metrics/{name}" for name in USED}
    judged = [line for line in lines_of(run / "metrics.jsonl") if tags & line.keys()]
    assert [line["step"] for line in judged] == [2, 4]
    assert all(isinstance(line[tag], float) for line in judged for tag in tags)
    held = json.loads((run / "protocols.json").read_text())
    assert tags <= held.keys()
    assert "held-out accuracy 0." in held["metrics/fid_classifier"]["space"]
    assert held["metrics/fid_discriminator"]["space"] == "discriminator"
    assert held["metrics/kid_classifier"]["settings"] == {"subsets": 100, "subset_size": 1000}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dataset=ring8", "metrics.use=[fid]"], "grey or colour pictures"),
        (["dataset=ring8", "metrics.use=[fid_classifier]"], "samples are numbers"),
        (["dataset=image_folder", "dataset.path=mine", "metrics.use=[mind_classifier]"], "labels of two classes"),
        (["dataset=digits", "metrics.use=[inception_score_pixels]"], "names classes, which pixels has not"),
        (["dataset=digits", "metrics.use=[fid_discriminator]", "metrics.best=metrics/fid_discriminator"], "health"),
        (["dataset=digits", "model=cgan", "metrics.use=[fid_discriminator]"], "judges samples alone"),
        (["dataset=digits", "metrics.use=[fid_dinov2]", "metrics.spaces.dinov2.network=dinov3"], "network is one of"),
        (["dataset=digits", "metrics.use=[fid]", "metrics.known.fid.samples=1"], "samples must be 2 or more"),
        (["dataset=digits", "metrics.use=[fid]", "metrics.spaces.inception.weights=none.pth"], "no such file"),
        (["dataset=digits", "metrics.use=[fid]"], "could not be downloaded"),
    ],
)
def test_bad_choices_are_refused_before_the_first_step(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    def urlopen(url: str, timeout: float) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "mine").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "mine" / "one.png")
    done = gantrain(*words, "metrics=none", "outputs_dir=out", "trainer.steps=2")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("config.yaml"))


def test_inceptions_weights_come_from_a_given_file(gantrain: Command, tmp_path: Path) -> None:
    """One of another layout is refused in a sentence."""
    torch.save({"weight": torch.zeros(3)}, tmp_path / "mine.pth")
    done = gantrain(*DIGITS, "metrics=none", "metrics.use=[fid]", "metrics.spaces.inception.weights=mine.pth")
    assert done.returncode == 2
    assert "mine.pth holds weights of another network than inception" in done.stderr
    assert "95,628,359 bytes" in done.stderr
