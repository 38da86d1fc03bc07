"""`gantrain fork`: an exact resume, and one change."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gantrain.cli import main
from gantrain.report.html.record import Record
from gantrain.runs import RunFolder, load_checkpoint

SMALL = [
    *("dataset=ring8", "model.generator.hidden=[16]", "model.discriminator.hidden=[16]", "log.every=2", "log.sinks=[]"),
    *("trainer.batch_size=16", "trainer.steps=8", "checkpoint.every=4", "metrics.use=[]", "log.samples_every=8"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    outputs = tmp_path_factory.mktemp("outputs")
    assert main([*SMALL, f"outputs_dir={outputs}"]) == 0
    (folder,) = outputs.glob("*/*")
    return RunFolder(folder)


def forked(run: RunFolder, *words: str) -> RunFolder:
    outputs = run.path.parent.parent
    before = set(outputs.glob("*/*"))
    assert main(["fork", f"run={run}", "step=4", *words]) == 0
    (new,) = set(outputs.glob("*/*")) - before
    return RunFolder(new)


def test_a_fork_keeps_what_was_set_when_the_run_went_on(tmp_path: Path) -> None:
    assert main([*SMALL, f"outputs_dir={tmp_path}"]) == 0
    (run,) = tmp_path.glob("*/*")
    assert main([f"run={run}", "trainer.steps=16"]) == 0
    assert main(["fork", f"run={run}", "step=12", "trainer.minutes=5"]) == 0
    (new,) = (folder for folder in tmp_path.glob("*/*") if folder != run)
    config = RunFolder(new).read_config()
    assert "minutes: 5" in config
    assert " steps: 16" in config


def test_a_fork_from_where_the_run_went_on_has_its_new_length(tmp_path: Path) -> None:
    assert main([*SMALL, f"outputs_dir={tmp_path}"]) == 0
    (run,) = tmp_path.glob("*/*")
    began = RunFolder(run).status.read().started
    assert main([f"run={run}", "trainer.steps=16"]) == 0
    assert RunFolder(run).status.read().started == began
    assert main(["fork", f"run={run}", "step=8", "loss=hinge"]) == 0
    (new,) = (folder for folder in tmp_path.glob("*/*") if folder != run)
    assert RunFolder(new).checkpoints.last_step() == 16


def test_a_fork_of_a_sweeps_job_is_beside_the_sweeps(tmp_path: Path) -> None:
    assert main(["-m", *SMALL, "seed=0,1", f"outputs_dir={tmp_path}"]) == 0
    (job,) = tmp_path.glob("sweeps/*/*/001-seed1")
    assert main(["fork", f"run={job}", "step=4", "loss=hinge"]) == 0
    (new,) = (folder for folder in tmp_path.glob("*/*") if folder.parent.name != "sweeps")
    assert new.parent.name == "ring8-mlp-hinge"


def last(run: RunFolder) -> dict[str, torch.Tensor]:
    state = load_checkpoint(run.checkpoints.of_step(8))
    held = dict(state["game"])
    for name, kept in state["optimizers"].items():
        held |= {f"{name} {k} {key}": value for k, one in kept["state"].items() for key, value in one.items()}
    return held


def test_a_change_of_nothing_that_is_learnt_gives_the_same_run(run: RunFolder) -> None:
    same, its = last(forked(run, "log.every=1")), last(run)
    assert same.keys() == its.keys()
    assert all(torch.equal(same[name], value) for name, value in its.items())


def test_another_loss_goes_on_from_the_same_state(run: RunFolder) -> None:
    fork = forked(run, "loss=hinge", "tricks=[ema,instance_noise]")
    assert not torch.equal(last(fork)["generator.net.1.weight"], last(run)["generator.net.1.weight"])
    origin = fork.origin.read()
    assert origin is not None
    assert (Path(origin.run), origin.step, origin.changes) == (
        run.path.resolve(),
        4,
        ["loss=hinge", "tricks=[ema,instance_noise]"],
    )
    old, new = run.numbers.read(), fork.numbers.read()
    assert [line for line in new if line["step"] <= 4] == [line for line in old if line["step"] <= 4]
    assert "gantrain.losses.Hinge" in fork.read_config()
    assert "seed: 0" in fork.read_config()
    assert run.checkpoints.last() == run.checkpoints.of_step(8)  # it is as it was
    unchanged = Record.read(fork).unchanged_curves["loss/generator/total"]  # the report's second line
    assert (unchanged.steps, unchanged.values) == (
        [line["step"] for line in old if line["step"] >= 4 and "loss/generator/total" in line],
        [line["loss/generator/total"] for line in old if line["step"] >= 4 and "loss/generator/total" in line],
    )
    told = f"forked from step 4 of {'/'.join(run.path.parts[-2:])}, with loss=hinge tricks=[ema,instance_noise]"
    assert told in fork.report.read_text()


def test_a_fork_has_the_figures_of_its_own_networks(tmp_path: Path) -> None:
    """Not those that the run had at this step besides."""
    words = ["metrics=modes", "metrics.every=4", "metrics.known.modes.samples=64"]
    assert main([*SMALL[:-2], *SMALL[-1:], *words, f"outputs_dir={tmp_path}"]) == 0
    (folder,) = tmp_path.glob("*/*")
    fork = forked(RunFolder(folder), "loss=hinge")
    assert [line["step"] for line in fork.numbers.read() if "metrics/modes" in line] == [4, 8]


def test_an_average_that_is_new_begins_with_the_network(tmp_path: Path) -> None:
    assert main([*SMALL, "tricks=[]", f"outputs_dir={tmp_path}"]) == 0
    (folder,) = tmp_path.glob("*/*")
    fork = forked(RunFolder(folder), "tricks=[ema]", "tricks.ema.half_life=1e9", "tricks.ema.ramp_up=null")
    then = load_checkpoint(RunFolder(folder).checkpoints.of_step(4))["game"]
    held, name = last(fork), "generator.net.1.weight"
    torch.testing.assert_close(held[f"averages.{name}"], then[name])
    assert not torch.equal(held[name], then[name])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "add loss="),
        (["model.generator.hidden=[32]"], "the networks of"),
        (["step=7", "loss=hinge"], "has no checkpoint"),
        (["step=last", "loss=hinge"], "set more, or fork it from an earlier step"),
        (["loss=hing"], "hinge"),
    ],
)
def test_what_is_no_fork_is_refused(
    run: RunFolder, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(run.path.parent.iterdir())
    step = [] if any(word.startswith("step") for word in words) else ["step=4"]
    assert main(["fork", f"run={run}", *step, *words]) == 2
    assert sentence in capsys.readouterr().err
    assert set(run.path.parent.iterdir()) == before


def test_a_fork_goes_where_it_is_told(run: RunFolder, tmp_path: Path) -> None:
    assert main(["fork", f"run={run}", "step=4", "loss=hinge", f"outputs_dir={tmp_path}"]) == 0
    (fork,) = tmp_path.glob("*/*")
    assert RunFolder(fork).status.read().status == "finished"


def test_a_fork_of_a_run_whose_time_was_a_budgets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """More steps are wanted without it; what has had its time is not forked into nothing; a new budget plans none."""
    assert main([*SMALL, f"outputs_dir={tmp_path}"]) == 0
    (folder,) = tmp_path.glob("*/*")
    state = load_checkpoint(RunFolder(folder).checkpoints.of_step(4))
    planned = {
        "\nbudget: null": "\nbudget: 1m",
        "minutes: null": "minutes: 1.0e-06",
        "  overrides:\n": "  overrides:\n  - trainer.steps=8\n  - trainer.minutes=1.0e-06\n",
    }
    for was, now in planned.items():
        assert was in state["config"]
        state["config"] = state["config"].replace(was, now)
    torch.save(state, tmp_path / "step_4.pt")
    assert main(["fork", f"run={tmp_path / 'step_4.pt'}", "loss=hinge"]) == 2
    assert "has had its trainer.minutes=1e-06: set more, or fork it from an earlier step" in capsys.readouterr().err
    assert main(["fork", f"run={tmp_path / 'step_4.pt'}", "budget=1h"]) == 2
    assert "give a fork trainer.steps=" in capsys.readouterr().err
    out = f"outputs_dir={tmp_path / 'new'}"
    assert main(["fork", f"run={tmp_path / 'step_4.pt'}", "loss=hinge", "trainer.steps=9", out]) == 0
    (fork,) = (tmp_path / "new").glob("*/*")
    assert RunFolder(fork).checkpoints.last_step() == 9
