"""A budget's recipe and length, from speeds that are given; and real runs with one."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from conftest import Command, lines_of, only_run, round_from
from omegaconf import DictConfig

from gantrain.commands import budgeting
from gantrain.config import compose, hydra_at, names_recipe
from gantrain.errors import UserError
from gantrain.options import CONFIGS

RECIPES = ("+recipes.sgan_digits=1000", "+recipes.acgan_digits=5000")
OWN = "digits-mlp-r3_digits"


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Seconds a step of each recipe takes, in which tests find what was measured, in order, by its `tried`."""
    speeds = {OWN: 0.001, "sgan_digits": 0.002, "acgan_digits": 0.004}
    measured: list[str] = []

    known: dict[str, float] = {**speeds, "tried": measured}  # type: ignore[dict-item]

    def measure(cfg: DictConfig, *_: object) -> budgeting.Speed:
        measured.append(cfg.name)
        return budgeting.Speed(known[cfg.name], "cpu")

    monkeypatch.setattr(budgeting, "measure_speed", measure)
    monkeypatch.setattr(budgeting.time, "monotonic", lambda: 0.0)
    return known


def plan(*words: str) -> tuple[DictConfig, list[str]]:
    said: list[str] = []
    with hydra_at():
        return budgeting.planned(
            words, compose(words), "train", SimpleNamespace(say=said.append, say_once=said.append)
        ), said  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("budget", "recipe", "measured"),
    [
        ("2s", OWN, [OWN, "sgan_digits"]),
        ("4s", "sgan_digits", [OWN, "sgan_digits"]),  # 5,000 steps of what costs more would take 10 s
        ("11s", "sgan_digits", [OWN, "sgan_digits", "acgan_digits"]),
        ("30s", "acgan_digits", [OWN, "sgan_digits", "acgan_digits"]),
    ],
)
def test_the_costliest_recipe_that_gets_its_steps(
    tried: dict[str, float], budget: str, recipe: str, measured: list[str]
) -> None:
    cfg, _ = plan(*RECIPES, f"budget={budget}")
    assert cfg.name == recipe
    assert tried["tried"] == measured
    assert cfg.trainer.steps == int(budgeting.SHARE * int(budget[:-1]) / tried[recipe])


def test_a_length_of_one_s_own_recipe(tried: dict[str, float]) -> None:
    cfg, (line, expected) = plan(*RECIPES, "budget=10s", "tricks=[]")
    assert "experiment" not in cfg.choices.groups
    assert cfg.tricks == {}
    assert cfg.trainer.steps == int(budgeting.SHARE * 10 / 0.001)
    assert re.fullmatch(r"budget 10s: 1,000 steps a second on cpu, so 9,200 steps, until about \d\d:\d\d", line)
    assert expected == f"expect: {budgeting.expectation(9200 * cfg.trainer.batch_size)}"


def test_the_evaluations_follow_from_the_steps(tried: dict[str, float]) -> None:
    """55,200 steps leave room for the ten evaluations that a run has at most."""
    cfg, _ = plan("budget=1m")
    assert cfg.trainer.steps == 55_200
    assert cfg.trainer.minutes == pytest.approx(1)
    assert cfg.metrics.every == 5_520


def test_the_rate_falls_to_its_end_when_the_steps_do(tried: dict[str, float]) -> None:
    cfg, _ = plan("budget=10s", "optimizer/schedule=linear")
    learner = next(iter(round_from(cfg).learners.values()))
    learner.move_to(cfg.trainer.steps // 2, cfg.trainer.steps)
    begins = learner.rate
    learner.move_to(cfg.trainer.steps, cfg.trainer.steps)
    assert begins == pytest.approx(cfg.optimizer.lr)
    assert learner.rate == pytest.approx(0, abs=1e-12)


def test_few_steps_are_said(tried: dict[str, float]) -> None:
    assert any("teach little" in line for line in plan("budget=0.4s")[1])


def test_automatic_on_a_cpu_and_on_a_gpu(tried: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    cfg, _ = plan(*RECIPES, "budget=auto")
    assert cfg.name == "acgan_digits"
    assert cfg.trainer.minutes == 25
    monkeypatch.setattr(budgeting, "choose_device", lambda word: torch.device("cuda"))
    tried["tried"].clear()  # type: ignore[attr-defined]
    on_gpu, said = plan(*RECIPES, "budget=auto")
    assert (on_gpu.name, tried["tried"]) == ("acgan_digits", [])
    assert said[-1] == f"budget auto: acgan_digits, {on_gpu.trainer.steps:,} steps"
    assert on_gpu.trainer.minutes is None
    assert on_gpu.trainer.steps != cfg.trainer.steps


def test_settings_of_one_s_own_stay(tried: dict[str, float]) -> None:
    cfg, _ = plan(*RECIPES, "budget=30s", "trainer.batch_size=32", "optimizer.lr=1e-3", "seed=7")
    assert (cfg.name, cfg.trainer.batch_size, cfg.optimizer.lr, cfg.seed) == ("acgan_digits", 32, 1e-3, 7)


def test_a_budget_beside_steps_is_refused() -> None:
    with pytest.raises(UserError, match=r"leave out trainer\.steps"):
        plan("budget=5m", "trainer.steps=100")


def test_no_budget_measures_nothing(tried: dict[str, float]) -> None:
    assert plan(*RECIPES)[0].name == OWN
    assert plan(*RECIPES, "budget=5m", "debug.dry=true")[0].debug.dry
    assert tried["tried"] == []


@pytest.mark.parametrize(("lazy", "cycle"), [((), 1), ((8,), 8), ((4, 6), 12)])
def test_speed_over_whole_cycles(monkeypatch: pytest.MonkeyPatch, lazy: tuple[int, ...], cycle: int) -> None:
    """A round costs a millisecond, and ten more where a lazy penalty is due."""
    now = 0.0

    def play(progress: SimpleNamespace) -> None:
        nonlocal now
        now += 0.001 + 0.01 * sum(progress.step % every == 0 for every in lazy)
        progress.step += 1

    penalties = {str(every): SimpleNamespace(every=every) for every in lazy}
    rounds = SimpleNamespace(
        play=play,
        meter=SimpleNamespace(read=lambda: None),
        game=SimpleNamespace(loss=SimpleNamespace(penalties=penalties), phase=lambda step: 0),
        steps=1000,
    )
    monkeypatch.setattr(budgeting.time, "monotonic", lambda: now)
    mean = 0.001 + 0.01 * sum(cycle // every for every in lazy) / cycle
    assert math.lcm(*lazy) == cycle
    assert budgeting._seconds_per_step(rounds, 2.0) == pytest.approx(mean)  # type: ignore[arg-type]


def test_a_run_and_the_same_by_its_steps(gantrain: Command, tmp_path: Path) -> None:
    """Measuring teaches the run nothing: with the steps that were found, it is bit for bit the same."""
    done = gantrain("budget=6s", "outputs_dir=a", "seed=3", "log.every=10", "metrics=none")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path / "a")
    chosen = yaml.safe_load((run / "config.yaml").read_text())
    steps = chosen["trainer"]["steps"]
    assert f"so {steps:,} steps" in done.stdout
    again = gantrain(f"trainer.steps={steps}", "outputs_dir=b", "seed=3", "log.every=10", "metrics=none")
    assert again.returncode == 0, again.stderr
    losses, others = (
        {line["step"]: line["loss/generator/total"] for line in lines_of(folder / "metrics.jsonl") if is_regular(line)}
        for folder in (run, only_run(tmp_path / "b"))
    )
    assert losses
    assert losses == {step: others[step] for step in losses}


def is_regular(line: dict[str, float]) -> bool:
    """Whether a line tells of 10 steps: on a busy machine the clock may end the run in between."""
    return "loss/generator/total" in line and line["step"] % 10 == 0


def test_sweep(gantrain: Command, tmp_path: Path) -> None:
    done = gantrain("-m", "budget=2s", "seed=0,1", "metrics=none")
    assert done.returncode == 0, done.stderr
    configs = [yaml.safe_load(file.read_text()) for file in tmp_path.glob("outputs/sweeps/*/*/*/config.yaml")]
    assert sorted(config["seed"] for config in configs) == [0, 1]
    assert all(config["trainer"]["minutes"] <= 2 / 60 for config in configs)


def test_a_recipe_is_judged_like_the_data_set(tried: dict[str, float]) -> None:
    """What an experiment measures, in its paper's way, can need files that are not here."""
    words = ("+recipes.infogan_digits=0", "budget=1m")
    tried["infogan_digits"] = 0.001
    cfg, _ = plan(*words)
    assert cfg.name == "infogan_digits"
    assert cfg.metrics.use == plan("budget=1m")[0].metrics.use
    assert plan(*words, "metrics.use=[fid_pixels]")[0].metrics.use == ["fid_pixels"]


@pytest.mark.parametrize("file", sorted((CONFIGS / "trainer").glob("*.yaml")), ids=lambda file: file.stem)
def test_recipes_are_there_and_cost_more_and_more(file: Path) -> None:
    recipes = (yaml.safe_load(file.read_text()) or {}).get("recipes", {})
    assert all((CONFIGS / "experiment" / f"{name}.yaml").exists() for name in recipes)
    assert list(recipes.values()) == sorted(recipes.values())


def test_more_pictures_seen_more_to_expect() -> None:
    told = [budgeting.expectation(10**power) for power in (3, 5, 6, 9)]
    assert len(set(told)) == 4
    assert told == list(budgeting.EXPECTED.values())


def test_numbers_are_no_pictures(tried: dict[str, float]) -> None:
    tried["ring8-mlp-r3_plane"] = 0.001
    assert not any(line.startswith("expect") for line in plan("dataset=ring8", "budget=1m")[1])


def test_an_experiment_keeps_its_own_metrics(tried: dict[str, float]) -> None:
    tried["infogan_digits"] = 0.001
    cfg, _ = plan("experiment=infogan_digits", "budget=1m")
    assert cfg.metrics.use == ["code_error"]


@pytest.mark.parametrize("word", ["model.generator.dropout=0.1", "init_from=old.pt", "loss.adversarial.gradient=0"])
def test_single_settings_of_a_recipe_choose_it(word: str) -> None:
    assert names_recipe({word.partition("=")[0]})


def test_a_recipe_that_does_not_fit_is_passed_over(tried: dict[str, float]) -> None:
    """The second one names what is not there, as a recipe for other sizes would be refused."""
    cfg, _ = plan("+recipes.acgan_digits=0", "+recipes.no_such_recipe=1", "budget=1m")
    assert cfg.name == "acgan_digits"


def test_configs_of_one_s_own_choose_for_themselves(
    tried: dict[str, float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("defaults: [train, _self_]\nbudget: auto\ntrainer: {steps: 77}\n")
    with hydra_at(str(tmp_path)):
        console = SimpleNamespace(say=print, say_once=print)
        cfg = budgeting.planned([], compose([], "mine"), "mine", console)  # type: ignore[arg-type]
    assert cfg.trainer.steps == 77


def test_going_on_with_more_steps_leaves_the_budget_behind(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("budget=2s", "metrics=none").returncode == 0
    run = only_run(tmp_path / "outputs")
    steps = yaml.safe_load((run / "config.yaml").read_text())["trainer"]["steps"] + 30
    done = gantrain(f"run={run}", f"trainer.steps={steps}")
    assert done.returncode == 0, done.stderr
    assert f"ended at step {steps:,}: all steps are done" in done.stdout


@pytest.mark.parametrize("words", [("budget=soon",), ("budget=5m", "trainer.steps=9")])
def test_a_sweep_with_a_bad_budget_writes_nothing(gantrain: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = gantrain("-m", *words, "seed=0,1")
    assert done.returncode == 2
    assert not (tmp_path / "outputs").exists()
