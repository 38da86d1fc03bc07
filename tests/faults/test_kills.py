"""Kills and signals, at whatever moment: who goes on ends as one who was never stopped. No step twice, none missing."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
from conftest import Command, only_run
from killing import differences, events, killed_after, killed_at, run_below, status_of

from gantrain.runs import RunFolder

SHORT = ["dataset=digits", "dataset.image_size=8", "model=mlp", "model.generator.hidden=[8]", "name=it"]
SHORT += ["model.discriminator.hidden=[8]", "trainer.batch_size=8", "trainer.steps=6", "tricks=[ema]"]
SHORT += ["metrics.use=[mind_pixels]", "metrics.known.mind.samples=64", "metrics.best=metrics/mind_pixels"]
SHORT += ["checkpoint.every=2", "metrics.every=2", "log.every=2", "log.samples_every=2"]
FULL = ["dataset=digits", "model=dcgan", "model.generator.width=8", "model.discriminator.width=8", "seed=3", "name=it"]
FULL += ["tricks=[ema,ada,experience_replay,ttur,early_stopping]", "tricks.experience_replay.size=32"]
FULL += ["optimizer.generator.lr=2e-4", "optimizer.schedule=cosine", "loss=nonsaturating", "trainer.batch_size=8"]
FULL += ["tricks.early_stopping.patience=90", "tricks.early_stopping.metric=metrics/mind_pixels"]
FULL += ["metrics.use=[mind_pixels]", "metrics.known.mind.samples=64", "metrics.best=metrics/mind_pixels"]
FULL += ["trainer.steps=240", "checkpoint.every=8", "metrics.every=8", "log.every=4", "log.samples_every=24"]
GROWING = ["dataset=digits", "model=progan", "trainer.batch_size=8", "seed=1", "name=it"]
GROWING += ["metrics.use=[mind_pixels]", "metrics.known.mind.samples=64", "metrics.best=metrics/mind_pixels"]
GROWING += ["trainer.steps=120", "checkpoint.every=8", "metrics.every=8", "log.every=4", "log.samples_every=24"]

MOMENTS = [
    ("config.yaml", 0, "after"),  # in the beginning
    ("step_00000002.pt", 0, "before"),  # before the first checkpoint
    ("step_00000002.pt", 0, "after"),  # between saving and evaluating
    ("best.pt", 0, "before"),  # between saving what that gave, and the best
    ("step_00000004.pt", 1, "before"),  # between evaluating and saving what it gave
    ("step_00000004.pt", 0, "after"),  # between that and the picture
    ("00000004.png", 0, "before"),
    ("00000006.png", 0, "after"),  # after the last picture
    ("final.png", 0, "after"),  # in the end
]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stopped."""
    folder = tmp_path_factory.mktemp("straight")
    assert killed_at("nothing", 0, "before", *SHORT, cwd=folder) == 0
    return only_run(folder)


def test_kills_at_chosen_moments(straight: Path, tmp_path: Path) -> None:
    """One after the other, in one run."""
    for moment in MOMENTS:
        run = run_below(tmp_path)
        assert killed_at(*moment, *([f"run={run}"] if run else SHORT), cwd=tmp_path) == -signal.SIGKILL, moment
    run = only_run(tmp_path)
    assert RunFolder(run).status.standing() == "died"
    assert killed_at("nothing", 0, "before", f"run={run}", cwd=tmp_path) == 0
    assert differences(straight, run) == []
    assert [len(events(run)[tag]) for tag in ("real", "samples")] == [1, 4]
    assert not list(run.rglob("*.part"))


def test_a_signal_while_saving(straight: Path, tmp_path: Path) -> None:
    number = signal.SIGUSR1
    assert killed_at("step_00000002.pt", 0, "before", *SHORT, cwd=tmp_path, signals=[number]) == 128 + number
    run = only_run(tmp_path)
    status = RunFolder(run).status.read()
    assert (status.status, status.reason) == ("stopped", "SIGUSR1 received")
    assert RunFolder(run).checkpoints.last_step() == 2
    assert not (run / "samples" / "00000002.png").exists(), "what can be done later is left to who goes on"
    twice, thrice = [signal.SIGINT] * 2, [signal.SIGTERM] * 3
    for signals, code, stands in ((twice, 130, "stopped"), (thrice, -signal.SIGTERM, "died")):
        assert killed_at("step_00000004.pt", 0, "before", f"run={run}", cwd=tmp_path, signals=signals) == code
        assert RunFolder(run).status.standing() == stands
        assert RunFolder(run).checkpoints.last_step() == 2, "the second one does not wait until it is saved"
    assert killed_at("nothing", 0, "before", f"run={run}", cwd=tmp_path) == 0
    assert differences(straight, run) == []


@pytest.mark.parametrize(("name", "when"), [("config.yaml", "after"), ("00000000.png", "before")])
def test_a_signal_before_the_first_step_is_over(tmp_path: Path, name: str, when: str) -> None:
    assert killed_at(name, 0, when, *SHORT, cwd=tmp_path, signals=[signal.SIGHUP]) == 129
    assert status_of(only_run(tmp_path)) == "stopped", "never left as running"
    assert not list(only_run(tmp_path).rglob("*.part"))


def test_a_run_has_one_owner(gantrain: Command, straight: Path) -> None:
    """Whoever else would train there is refused, and changes nothing."""
    before = {file: file.stat().st_mtime_ns for file in straight.rglob("*") if file.name != "run.lock"}
    with RunFolder(straight).status.owned():
        done = gantrain(f"run={straight}", "trainer.steps=9")
    assert done.returncode == 2
    assert "is being trained by another process: wait for it" in done.stderr
    assert before == {file: file.stat().st_mtime_ns for file in straight.rglob("*") if file.name != "run.lock"}


@pytest.mark.slow
@pytest.mark.parametrize(("words", "kills"), [(FULL, 40), (GROWING, 10)], ids=["every kind of state", "growing"])
def test_kills_at_random_moments(tmp_path: Path, words: list[str], kills: int) -> None:
    """Fifty in the two together, wherever they fall; a run that ends before the last of them is followed by another."""
    assert killed_at("nothing", 0, "before", *words, "outputs_dir=straight", cwd=tmp_path) == 0
    chosen, killed, runs = random.Random(0), 0, 0
    while killed < kills:
        runs, code = runs + 1, -signal.SIGKILL
        while code:
            run = run_below(tmp_path / str(runs))
            command = [f"run={run}"] if run else [*words, f"outputs_dir={runs}"]
            left = killed < kills
            code = killed_after(chosen.uniform(0.5, 8) if left else 1e6, *command, cwd=tmp_path)
            if code == 2 and run is not None and status_of(run) == "finished":  # killed after its end
                break
            assert code in (0, -signal.SIGKILL), (tmp_path / "said").read_text()[-2000:]
            killed += code != 0
        assert differences(only_run(tmp_path / "straight"), only_run(tmp_path / str(runs))) == []
    print(f"{killed} kills in {runs} runs")
