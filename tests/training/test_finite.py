"""What is no number reaches no checkpoint; a run then stops, skips the turn or goes back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Command, config, lines_of, only_run, round_of, same

from gantrain.commands.assembly import build_game, build_learners
from gantrain.training.finite import LARGEST, NotFinite, check_state
from gantrain.training.rounds import Progress, Rounds
from gantrain.training.state import Learner
from gantrain.turns import Samples

pytestmark = pytest.mark.usefixtures("plain_pictures")

RING = ["dataset=ring8", "loss=nonsaturating", "optimizer=adam", "trainer.batch_size=8", "metrics.use=[]"]
RING += ["model.generator.hidden=[4]", "model.discriminator.hidden=[4]"]
Poison = Callable[..., None]


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    """Makes the discriminator's gradients no numbers in the given rounds (from 0), while its losses stay finite."""
    original = Rounds._backward

    def set_up(*rounds: int, times: float = math.inf) -> None:
        left = [times]

        def backward(self: Rounds, learner: Learner, *rest: object) -> None:
            original(self, learner, *rest)  # type: ignore[arg-type]
            if learner.name == "discriminator" and int(self._step) in rounds and left[0] > 0:
                left[0] -= 1
                for parameter in learner.parameters:
                    parameter.grad = torch.full_like(parameter, math.nan)

        monkeypatch.setattr(Rounds, "_backward", backward)

    return set_up


def steps(run: Path) -> list[int]:
    return sorted(int(file.stem[5:]) for file in (run / "checkpoints").glob("step_*.pt"))


def held(run: Path, step: int) -> dict[str, dict[str, torch.Tensor]]:
    return torch.load(run / "checkpoints" / f"step_{step:08d}.pt", weights_only=True)


def players_weights(state: dict[str, dict[str, torch.Tensor]], player: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state["game"].items() if name.startswith(player)}


def test_a_gradient_that_is_no_number_reaches_no_checkpoint(gantrain: Command, tmp_path: Path, poison: Poison) -> None:
    poison(2)
    done = gantrain(*RING, "trainer.steps=6", "checkpoint.every=3")
    assert done.returncode == 1
    assert "is not finite since step 3" in done.stderr
    assert "start anew with lower rates, such as optimizer.lr=" in done.stderr
    assert steps(only_run(tmp_path)) == []
    assert json.loads((only_run(tmp_path) / "status.json").read_text())["status"] == "failed"


def test_the_step_is_named_though_it_is_found_later(gantrain: Command, tmp_path: Path, poison: Poison) -> None:
    """D's gradients of the third step: its own loss is a number there still, G's no more."""
    for step in (6, 2):
        poison(step)
        done = gantrain(*RING, "trainer.steps=9", "checkpoint.every=8", "log.every=5", f"outputs_dir=o{step}")
        assert f"loss/generator/adversarial is not finite since step {step + 1}" in done.stderr, done.stderr


def test_the_way_on_that_is_named_works(gantrain: Command, tmp_path: Path, poison: Poison) -> None:
    poison(2)
    words = [*RING, "checkpoint.every=1", "tricks=[unrolled]", "tricks.unrolled.steps=1"]
    done = gantrain(*words, "trainer.steps=6")
    run = only_run(tmp_path)
    assert steps(run) == [1, 2]
    nonfinite_advice = re.findall(r"init_from=\S+|(?:optimizer|tricks)\.\S+=[\d.e-]+", done.stderr)
    assert [word.partition("=")[0] for word in nonfinite_advice] == ["init_from", "optimizer.lr", "tricks.unrolled.lr"]
    assert nonfinite_advice[0].endswith("step_00000002.pt")
    anew = gantrain(*words, *nonfinite_advice, "trainer.steps=2", "outputs_dir=anew")
    assert anew.returncode == 0, anew.stderr


def test_an_evaluation_saves_nothing_that_is_no_number(gantrain: Command, tmp_path: Path, poison: Poison) -> None:
    poison(1)
    words = ["metrics.use=[modes]", "metrics.best=metrics/modes", "metrics.every=2", "log.every=100"]
    done = gantrain(*RING, *words, "trainer.steps=6")
    assert (done.returncode, list((only_run(tmp_path) / "checkpoints").iterdir())) == (1, [])


@pytest.mark.parametrize("what", ["weight", "average", "optimizer", "buffer"])
def test_every_part_of_the_state_is_looked_at(what: str) -> None:
    rounds, progress = round_of(*RING, "tricks=[ema,lecam]"), Progress()
    rounds.play(progress)
    check_state(rounds.game, rounds.learners, 1, rounds.weights)
    found = {
        "weight": rounds.learners["discriminator"].parameters[-1],
        "average": next(rounds.game.averages.parameters()),
        "optimizer": next(iter(rounds.learners["generator"].optimizer.state.values()))["exp_avg_sq"],
        "buffer": rounds.game.get_buffer("tricks.lecam.real_discriminator"),
    }[what]
    with torch.no_grad():
        found.view(-1)[-1] = math.inf
    with pytest.raises(NotFinite, match="is not finite by step 1"):
        check_state(rounds.game, rounds.learners, 1, rounds.weights)


def test_weights_that_have_left_what_can_be_mended_are_not_good() -> None:
    rounds = round_of(*RING)
    weight = rounds.learners["generator"].parameters[0]
    with torch.no_grad():
        weight[0, 0] = LARGEST
        check_state(rounds.game, rounds.learners, 1, rounds.weights)
        weight[0, 0] = -1e17
    with pytest.raises(NotFinite, match=r"generator\S* has grown to 1e\+17"):
        check_state(rounds.game, rounds.learners, 1, rounds.weights)


def test_a_run_that_diverges_leaves_weights_of_a_size_to_go_on_from(gantrain: Command, tmp_path: Path) -> None:
    words = ["loss=lsgan", "optimizer=sgd", "optimizer.lr=0.3", "checkpoint.every=1", "log.every=1"]
    done = gantrain("dataset=ring8", *words, "trainer.steps=200")
    assert done.returncode == 1
    run = only_run(tmp_path)
    assert f"step_{steps(run)[-1]:08d}.pt" in done.stderr
    for step in steps(run):
        assert all(value.abs().max() <= LARGEST for value in held(run, step)["game"].values())


def test_skipping_leaves_a_turn_out_and_nothing_else(gantrain: Command, tmp_path: Path, poison: Poison) -> None:
    poison(0, 2)
    words = [*RING, "tricks=[ema,lecam]", "checkpoint.every=1", "checkpoint.keep=9", "log.every=1"]
    done = gantrain(*words, "trainer.steps=5", "trainer.on_nonfinite=skip")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    first, second, third, fourth = (held(run, step) for step in (1, 2, 3, 4))
    assert first["optimizers"]["discriminator"]["state"] == {}
    assert same(players_weights(second, "discriminator"), players_weights(third, "discriminator"))
    assert same(players_weights(second, "tricks.lecam"), players_weights(third, "tricks.lecam"))
    assert same(second["optimizers"]["discriminator"]["state"], third["optimizers"]["discriminator"]["state"])
    assert not same(players_weights(second, "generator"), players_weights(third, "generator"))
    assert not same(players_weights(third, "discriminator"), players_weights(fourth, "discriminator"))
    lines = lines_of(run / "metrics.jsonl")
    skipped = [line["skipped/discriminator"] for line in lines if "skipped/discriminator" in line]
    assert skipped == [1, 0, 1, 0, 0]


def test_skipping_changes_nothing_where_nothing_is_skipped(gantrain: Command, tmp_path: Path) -> None:
    states = []
    for choice in ("stop", "skip", "rollback"):
        done = gantrain(*RING, "trainer.steps=4", f"trainer.on_nonfinite={choice}", f"outputs_dir={choice}")
        assert done.returncode == 0, done.stderr
        (run,) = (tmp_path / choice).glob("*/*")
        states.append(held(run, 4))
    for other in states[1:]:
        assert same(states[0]["game"], other["game"])
        assert same(states[0]["optimizers"], other["optimizers"])


def test_skipping_for_ever_stops(gantrain: Command, tmp_path: Path, poison: Poison) -> None:
    poison(*range(100))
    done = gantrain(*RING, "trainer.steps=100", "log.every=10", "trainer.on_nonfinite=skip")
    assert done.returncode == 1
    assert "gradients of discriminator were not finite in 20 turns in a row by step 20" in done.stderr


def test_going_back_draws_something_else_and_goes_on(gantrain: Command, tmp_path: Path, poison: Poison) -> None:
    words = [*RING, "trainer.steps=8", "checkpoint.every=2", "checkpoint.keep=9", "log.every=2"]
    assert gantrain(*words, "outputs_dir=whole").returncode == 0
    poison(4, times=1)
    done = gantrain(*words, "trainer.on_nonfinite=rollback")
    assert done.returncode == 0, done.stderr
    assert "back to step 4, 1 of 5 times" in done.stdout
    run = only_run(tmp_path / "outputs")
    numbers = lines_of(run / "metrics.jsonl")
    assert [line["step"] for line in numbers if "lr/generator" in line] == [2, 4, 6, 8]
    assert all(value is not None for line in numbers for value in line.values())
    (whole,) = (tmp_path / "whole").glob("*/*")
    assert same(held(run, 4)["game"], held(whole, 4)["game"])
    assert not same(held(run, 6)["game"], held(whole, 6)["game"])
    straight = held(run, 8)
    assert straight["progress"]["rollbacks"] == 1
    (run / "checkpoints" / "step_00000008.pt").unlink()  # as if killed
    assert gantrain(f"run={run}").returncode == 0
    assert same(held(run, 8)["game"], straight["game"])


def test_going_back_to_the_beginning_and_not_for_ever(gantrain: Command, tmp_path: Path, poison: Poison) -> None:
    poison(1)
    done = gantrain(*RING, "tricks=[lecam]", "trainer.steps=4", "log.every=2", "trainer.on_nonfinite=rollback")
    assert done.returncode == 1
    assert done.stdout.count("back to step 0") == 5
    assert "step_00000000.pt" in done.stderr
    poison(1, times=1)
    words = ["trainer.steps=4", "metrics.use=[modes]", "metrics.every=2", "metrics.known.modes.samples=64"]
    done = gantrain(*RING, *words, "trainer.on_nonfinite=rollback", "outputs_dir=once")
    assert done.returncode == 0, done.stderr
    numbers = lines_of(only_run(tmp_path / "once") / "metrics.jsonl")
    assert [line["step"] for line in numbers if "metrics/modes" in line] == [2, 4], "what is untrained is not judged"


def test_samples_that_are_no_numbers_are_not_good(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(*_: object, **__: object) -> dict[str, Samples]:
        return {"samples": Samples(torch.full((16, 2), math.nan))}

    monkeypatch.setattr("gantrain.commands.train.generate_samples", draw)
    done = gantrain(*RING, "trainer.steps=2")
    assert done.returncode == 1
    assert "not every sample that the generator makes is finite" in done.stderr
    assert steps(only_run(tmp_path)) == []


def test_layers_that_are_frozen_from_the_start_stay_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def frozen_game(*given: object, **named: object) -> object:
        game = build_game(*given, **named)  # type: ignore[arg-type]
        for name in ("generator", "discriminator"):
            next(game.get_submodule(name).parameters()).requires_grad_(False)
        return game

    monkeypatch.setattr("conftest.build_game", frozen_game)
    clipped = ["tricks=[weight_clipping]", "tricks.weight_clipping.limit=1e-3"]
    rounds, progress = round_of(*RING, *clipped), Progress()
    first = {name: next(rounds.game.get_submodule(name).parameters()) for name in rounds.learners}
    before = {name: weight.clone() for name, weight in first.items()}
    for _ in range(2):
        rounds.play(progress)
    for name, weight in first.items():
        assert torch.equal(weight, before[name])
        assert not weight.requires_grad
        (group,) = rounds.learners[name].optimizer.param_groups
        assert not any(weight is moved for moved in group["params"])
    cfg = config(*RING)
    game = build_game(cfg)
    game.get_submodule("generator").requires_grad_(False)
    with pytest.raises(ValueError, match="all weights of the player generator are frozen"):
        build_learners(cfg, game)


def test_the_way_on_names_no_schedule(gantrain: Command, tmp_path: Path) -> None:
    ramp = "{_target_: gantrain.schedules.Ramp, start: 1e6, end: 1e12, steps: 5}"
    done = gantrain(
        "dataset=ring8", "optimizer=sgd", "loss=lsgan", f"optimizer.generator.lr={ramp}", "trainer.steps=60"
    )
    assert done.returncode == 1
    assert "start anew with lower rates, such as optimizer.discriminator.lr=" in done.stderr
    assert "failed" in (only_run(tmp_path) / "status.json").read_text()


@pytest.mark.parametrize("trick", ["ada", "ema", "historical_averaging", "lecam", "virtual_batch_norm"])
def test_what_goes_back_stays_where_it_lies(trick: str) -> None:
    """Captured turns read and write where buffers lay when they were captured."""
    words = ["dataset=digits", "model=dcgan_small", "loss=nonsaturating", f"tricks=[{trick}]"]
    rounds = round_of(*words, "trainer.batch_size=8")
    for _ in range(2):
        rounds.play(Progress())
    places = {name: tensor.data_ptr() for name, tensor in rounds.game.state_dict().items()}
    then = {name: tensor.clone() for name, tensor in rounds.game.state_dict().items()}
    rounds.play(Progress())
    rounds.game.load_state_dict(then)
    now = rounds.game.state_dict()
    assert {name: tensor.data_ptr() for name, tensor in now.items()} == places
    for name, tensor in now.items():
        assert torch.equal(tensor, then[name])
