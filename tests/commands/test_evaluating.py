"""`gantrain evaluate`: the run's own figures again, or others, of one checkpoint or of all."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from conftest import Command, lines_of, only_run

from gantrain.commands import evaluate as evaluating
from gantrain.metrics import evaluate as measure

RING = ["dataset=ring8", "metrics=modes", "trainer.steps=6", "checkpoint.every=2", "checkpoint.keep=5", "name=it"]


@pytest.fixture
def run(gantrain: Command, tmp_path: Path, plain_pictures: None) -> Path:
    done = gantrain(*RING, "metrics.every=2")
    assert done.returncode == 0, done.stderr
    return only_run(tmp_path)


def held(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]


def test_a_run_is_given_its_own_figures_again(gantrain: Command, run: Path) -> None:
    logged = {line["step"]: line for line in lines_of(run / "metrics.jsonl") if "metrics/modes" in line}
    done = gantrain("evaluate", f"run={run}", "checkpoint=all")
    assert done.returncode == 0, done.stderr
    lines = held(run)
    assert [line["step"] for line in lines] == [2, 4, 6] == list(logged)
    for line in lines:
        for tag, value in line["figures"].items():
            assert value == pytest.approx(logged[line["step"]][tag], rel=1e-6)
            assert line["protocols"][tag]["samples"] == 2500
    assert "step  modes  high_quality  reverse_kl" in done.stdout.replace(" *", "")


def test_numbers_of_samples_and_metrics_are_chosen(gantrain: Command, run: Path) -> None:
    assert gantrain("evaluate", f"run={run}", "metrics=[modes]", "n=100", "checkpoint=4", "ema=false").returncode == 0
    (line,) = held(run)
    assert line["step"] == 4
    facts = line["protocols"]["metrics/modes"]
    assert (facts["samples"], facts["averaged"]) == (100, False)


def test_a_checkpoint_file_stands_for_itself(gantrain: Command, run: Path) -> None:
    assert gantrain("evaluate", f"run={run / 'checkpoints' / 'step_00000002.pt'}").returncode == 0
    assert [line["step"] for line in held(run)] == [2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "needs a run"),
        (["run=nothing"], "there is no run nothing"),
        (["run={run}", "metrics=[mods]"], "no metric mods, did you mean modes?"),
        (["run={run}", "metrics=[moments]"], "needs dataset=gaussian1d"),
        (["run={run}", "checkpoint=3"], "no checkpoint '3'"),
        (["run={run}", "n=0"], "n must be"),
        (["run={run}", "m=1"], "m is no setting"),
        (["-m", "run={run}"], "leave out --multirun"),
    ],
)
def test_what_makes_no_sense_is_refused(gantrain: Command, run: Path, words: list[str], sentence: str) -> None:
    refused = gantrain("evaluate", *(word.format(run=run) for word in words))
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (run / "evaluations.jsonl").exists()


def test_a_run_keeps_how_its_figures_were_measured(run: Path) -> None:
    facts = json.loads((run / "protocols.json").read_text())["metrics/modes"]
    assert facts["metric"] == "Modes"
    assert facts["better"] == "higher"
    assert (facts["samples"], facts["averaged"]) == (2500, True)


def test_a_sweep_ranks_what_was_measured_alike(gantrain: Command, plain_pictures: None) -> None:
    words = ["-m", "dataset=ring8", "metrics=modes", "trainer.steps=1"]
    assert "best modes: 00" in gantrain(*words, "loss=wgan,hinge").stdout
    assert re.search(r"^modes: \S+ ± \S+ over 2 seeds$", gantrain(*words, "seed=0,1").stdout, re.MULTILINE)
    unlike = gantrain(*words, "metrics.known.modes.samples=100,200").stdout
    assert "modes is not ranked: samples is 100 in 000-samples100; samples is 200 in 001-samples200" in unlike


def test_what_was_measured_before_an_interruption_is_kept(
    gantrain: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is prepared that no figure asks for."""
    calls = iter([*range(2)])

    def interrupted(*given: object) -> dict[str, float]:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return measure(*given)

    monkeypatch.setattr(evaluating, "best_answers_of", None)
    monkeypatch.setattr(evaluating, "evaluate", interrupted)
    with contextlib.suppress(KeyboardInterrupt):
        gantrain("evaluate", f"run={run}", "checkpoint=all")
    assert [line["step"] for line in held(run)] == [2, 4]


def test_figures_that_cannot_be_kept_are_told_all_the_same(gantrain: Command, run: Path) -> None:
    (run / "evaluations.jsonl").mkdir()
    done = gantrain("evaluate", f"run={run}", "checkpoint=all")
    assert done.returncode == 2
    assert "high_quality" in done.stdout
    assert "the figures could not be kept in" in done.stderr


def test_a_metric_that_is_named_has_its_own_number_of_samples(gantrain: Command, tmp_path: Path) -> None:
    """And is set against the data that the run had."""
    words = ["dataset=ring8", "metrics.use=[diversity_values]", "metrics.n=150", "debug=overfit", "debug.overfit=16"]
    assert gantrain(*words, "trainer.steps=1", "name=it").returncode == 0
    run = only_run(tmp_path)
    for more in ([], ["metrics=[diversity_values]"], ["metrics=[diversity_values]", "n=70"]):
        assert gantrain("evaluate", f"run={run}", *more).returncode == 0
    facts = [line["protocols"]["metrics/diversity_values"] for line in held(run)]
    assert [(one["samples"], one["real"]) for one in facts] == [(150, 16), (5000, 16), (70, 16)]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("spaces.inception.weights=none.pth", "weights=none.pth: there is no such file"),
        ("metrics.spaces.inception.weights=none.pth", "weights=none.pth: there is no such file"),
        ("metrics.every=3", "metrics.every=3: gantrain evaluate has metrics="),
    ],
)
def test_weights_are_given_to_an_evaluation_too(gantrain: Command, tmp_path: Path, word: str, said: str) -> None:
    words = ["dataset.image_size=8", "model=mlp", "metrics=none", "trainer.steps=1", "name=it"]
    assert gantrain(*words).returncode == 0
    refused = gantrain("evaluate", f"run={only_run(tmp_path)}", "metrics=[fid]", word)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
