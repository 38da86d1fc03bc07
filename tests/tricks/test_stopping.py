"""When a run has seen enough."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from conftest import Command, config, lines_of, only_run

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.tricks import EarlyStopping, RunPlan

LINE = ["dataset=gaussian1d", "tricks=[early_stopping]", "metrics.use=[wasserstein1]", "metrics.every=10"]
LINE += ["metrics.best=metrics/wasserstein1"]
RING = ["dataset=ring8", "metrics=modes", "tricks=[early_stopping]", "metrics.every=10", "metrics.best=metrics/modes"]


def trick_of(*words: str) -> EarlyStopping:
    """The trick as a run has it, which knows from the metric which way is better."""
    trick = build_game(config(*words)).get_submodule("tricks.early_stopping")
    assert isinstance(trick, EarlyStopping)
    return trick


def stops_at(trick: EarlyStopping, values: list[float]) -> int | None:
    """Which of these evaluations ends the run."""
    for number, value in enumerate(values, 1):
        if trick.should_stop({str(trick.metric): value}):
            return number
    return None


def test_a_threshold_is_reached_from_below_or_from_above() -> None:
    limits = ["tricks.early_stopping.patience=null", "tricks.early_stopping.threshold=5"]
    assert stops_at(trick_of(*RING, *limits), [1, 4, 4, 3, 5]) == 5, "more modes are better"
    assert stops_at(trick_of(*RING, *limits), [8]) == 1
    assert stops_at(trick_of(*LINE, *limits), [9, 7, 8, 6, 5]) == 5, "less distance is better"
    assert stops_at(trick_of(*LINE, *limits), [0.1]) == 1
    assert stops_at(trick_of(*LINE, *limits), [9, math.nan, 6]) is None


def test_patience_is_for_evaluations_without_a_better_value() -> None:
    limit = "tricks.early_stopping.patience=2"
    assert stops_at(trick_of(*RING, limit), [3, 2, 4, 4, 3]) == 5, "as good is not better"
    assert stops_at(trick_of(*LINE, limit), [3, 4, 2, 2, 3]) == 5
    assert stops_at(trick_of(*LINE, limit), [9, 8, 7, 6, 5, 4]) is None
    assert stops_at(trick_of(*LINE, limit), [3, math.nan, math.nan]) == 3
    assert stops_at(trick_of(*LINE, limit), [math.nan, 3, 2]) is None, "any number is better than none"


@pytest.mark.parametrize("higher", [False, True])
def test_what_was_best_and_how_long_ago_goes_into_the_checkpoint(higher: bool) -> None:
    better = frozenset({"m"} if higher else ())
    plan = RunPlan([2], 8, 8, frozenset({"m"}), better, evaluate_every=1)
    first, second = (EarlyStopping("m", patience=3) for _ in range(2))
    for trick in (first, second):
        trick.check(plan)
    assert stops_at(first, [5, 5, 5]) is None
    second.load_state_dict(first.state_dict())
    assert stops_at(second, [5]) == 1
    assert second.should_stop({"m": 6.0 if higher else 4.0}) is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([*RING, "metrics.every=null"], "set metrics.every, such as 500"),
        (RING[:-1], "metric is not set: metrics.use gives"),
        (
            [*RING, "tricks.early_stopping.metric=metrics/fid"],
            "metric is metrics/fid: metrics.use gives metrics/high_q",
        ),
        ([*RING, "tricks.early_stopping.patience=null"], "set a threshold, or a patience of 1 or more"),
        ([*RING, "tricks.early_stopping.patience=0"], "patience must be 1 or more"),
    ],
)
def test_what_can_never_stop_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build_game(config(*words))


def test_a_run_ends_when_it_is_good_enough(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain(*LINE, "trainer.steps=60", "tricks.early_stopping.threshold=1000")
    assert done.returncode == 0, done.stderr
    assert "ended at step 10: metrics/wasserstein1 is" in done.stdout
    assert [f.name for f in tmp_path.glob("outputs/*/*/checkpoints/step_*")] == ["step_00000010.pt"]


def test_a_run_that_goes_on_remembers_how_long_nothing_was_better(gantrain: Command, tmp_path: Path) -> None:
    """A generator that stands still is as good at 10, 20, 30 and 40: two and then two of three that are allowed."""
    words = [*LINE, "optimizer=sgd", "optimizer.lr=0", "tricks.early_stopping.patience=3"]
    assert gantrain(*words, "trainer.steps=20").returncode == 0
    (run,) = [file.parent for file in tmp_path.glob("outputs/*/*/config.yaml")]
    done = gantrain(f"run={run}", "trainer.steps=100")
    assert done.returncode == 0, done.stderr
    assert "ended at step 40" in done.stdout
    assert "for 3 evaluations" in done.stdout
    assert [line["step"] for line in lines_of(run / "metrics.jsonl") if "metrics/wasserstein1" in line] == [
        10,
        20,
        30,
        40,
    ]


def test_a_failing_run_is_given_up_and_stays_so(gantrain: Command, tmp_path: Path) -> None:
    words = ["dataset=ring8", "optimizer=sgd", "optimizer.lr=1e-30", "log.every=2", "metrics.use=[modes]"]
    assert gantrain(*words, "trainer.steps=40", "trainer.give_up=0.5").returncode == 0
    run = only_run(tmp_path)
    assert "trainer.give_up=0.5" in (run / "run.log").read_text()
    steps = [line["step"] for line in lines_of(run / "metrics.jsonl")]
    assert 20 <= max(steps) < 40
    assert "metrics/modes" in (run / "metrics.jsonl").read_text(), "what it came to is measured"
