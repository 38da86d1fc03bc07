"""A budget's recipe and length, from speeds that are given; and real runs with one."""

from __future__ import annotations

import math
import re
import time
from bisect import bisect_right
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from conftest import Command, config, lines_of, only_run, round_from
from omegaconf import DictConfig

from gantrain.commands import budgeting, measuring
from gantrain.commands.resume import change
from gantrain.config import compose, hydra_at, names_recipe, prepare
from gantrain.errors import UserError
from gantrain.options import CONFIGS
from gantrain.training.compiled import Compiled
from gantrain.training.execution import LONG
from gantrain.training.rounds import Rounds

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
        found = known[cfg.name]
        return found if isinstance(found, budgeting.Speed) else budgeting.Speed(found, "cpu")

    monkeypatch.setattr(budgeting, "measure_speed", measure)
    monkeypatch.setattr(budgeting.time, "monotonic", lambda: 0.0)
    return known


def plan(*words: str, ranks: int = 1) -> tuple[DictConfig, list[str]]:
    said: list[str] = []
    with hydra_at():
        return budgeting.planned(
            words, compose(words), "train", SimpleNamespace(say=said.append, say_once=said.append), ranks
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
    assert (on_gpu.name, tried["tried"]) == ("acgan_digits", ["acgan_digits"])
    lasts = budgeting.duration(0.004 * on_gpu.trainer.steps / budgeting.SHARE)
    told = f"budget auto: acgan_digits, {on_gpu.trainer.steps:,} steps, 250 steps a second on cpu: {lasts}, until about"
    assert said[0].startswith(told)
    assert said[1].startswith("expect: ")
    assert on_gpu.trainer.minutes is None
    assert on_gpu.trainer.steps != cfg.trainer.steps


@pytest.mark.parametrize(("seconds", "recipe"), [(10, "sgan_digits"), (100, OWN)])
def test_on_a_gpu_a_day_is_enough(
    tried: dict[str, float], monkeypatch: pytest.MonkeyPatch, seconds: float, recipe: str
) -> None:
    """A step of the costliest recipe takes so long that its steps need months: the day has the next that fits."""
    monkeypatch.setattr(budgeting, "choose_device", lambda word: torch.device("cuda"))
    tried["acgan_digits"], tried["sgan_digits"] = 1000, seconds
    cfg, said = plan(*RECIPES, "budget=auto")
    assert re.fullmatch(
        r"budget auto: acgan_digits, 3,\d{3} steps would take about \d+ days here, so budget=1d", said[0]
    )
    assert (cfg.name, cfg.trainer.minutes) == (recipe, 1440)


def test_on_a_gpu_the_data_sets_own_is_told_too(tried: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgeting, "choose_device", lambda word: torch.device("cuda"))
    cfg, said = plan("budget=auto")
    assert said[0].startswith(
        f"budget auto: {OWN}, {cfg.trainer.steps:,} steps, 1,000 steps a second on cpu: 1 minute,"
    )


def test_an_execution_that_does_not_go_with_reused_fakes_is_refused() -> None:
    with pytest.raises(UserError, match="reuse_fakes joins two turns"):
        plan("budget=2s", "trainer.reuse_fakes=true", "trainer.execution=compile")


def test_what_runs_out_of_memory_is_passed_over(tried: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgeting, "choose_device", lambda word: torch.device("cuda"))
    measure = budgeting.measure_speed

    def full(cfg: DictConfig, *more: object) -> budgeting.Speed:
        if cfg.name == "acgan_digits":
            raise budgeting.OutOfMemory("full")
        return measure(cfg, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(budgeting, "measure_speed", full)
    assert plan(*RECIPES, "budget=auto")[0].name == "sgan_digits"


def test_several_processes_on_gpus_measure_nothing(tried: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgeting, "choose_device", lambda word: torch.device("cuda"))
    cfg, said = plan(*RECIPES, "budget=auto", ranks=2)
    assert said == [f"budget auto: acgan_digits, {cfg.trainer.steps:,} steps"]
    assert tried["tried"] == []


def test_the_day_is_told_where_it_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgeting.time, "time", lambda: time.mktime((2026, 3, 14, 23, 0, 0, 0, 0, -1)))
    assert budgeting.clock_in(60) == "23:01"
    assert budgeting.clock_in(7200) == "01:00 on Sunday, 15 March"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(10, "1 minute"), (3600, "60 minutes"), (7200, "2 hours"), (86_400, "24 hours"), (5e6, "58 days")],
)
def test_a_time_in_words(seconds: float, words: str) -> None:
    assert budgeting.duration(seconds) == words


def test_settings_of_one_s_own_stay(tried: dict[str, float]) -> None:
    cfg, _ = plan(*RECIPES, "budget=30s", "trainer.batch_size=32", "seed=7")
    assert (cfg.name, cfg.trainer.batch_size, cfg.seed) == ("acgan_digits", 32, 7)


@pytest.mark.parametrize("word", ["optimizer.lr=1e-3", "optimizer.schedule=cosine", "optimizer=adam"])
def test_an_optimizer_of_one_s_own_keeps_the_recipe(tried: dict[str, float], word: str) -> None:
    assert plan(*RECIPES, "budget=30s", prepare(word))[0].name == OWN


def test_a_run_is_played_as_it_was_measured(tried: dict[str, float]) -> None:
    """However long it becomes; said only where a run could be played either way."""
    fast, long = budgeting.Speed(0.001, "cpu", long="compile"), LONG * 0.001 / budgeting.SHARE
    tried[OWN] = fast  # type: ignore[assignment]
    for execution in ("eager", "compile"):
        tried[OWN] = replace(fast, execution=execution)  # type: ignore[assignment]
        for budget in (0.9 * long, 2 * long):
            assert plan(f"budget={budget}s")[0].trainer.execution.value == execution
    tried[OWN] = replace(fast, long="eager")  # type: ignore[assignment]
    assert plan(f"budget={2 * long}s")[0].trainer.execution.value == "auto"


@pytest.mark.parametrize(
    ("budget", "compiled", "played"),
    [(600, 0.001, ["eager", "compile"]), (200, 0.001, ["eager"]), (600, 1.0, ["eager", "compile"])],
)
def test_long_runs_are_measured_compiled_too(
    monkeypatch: pytest.MonkeyPatch, budget: float, compiled: float, played: list[str]
) -> None:
    """An eager step takes 5 ms; in short runs nothing is compiled, and what compiling slows down is not."""
    seen: list[str] = []

    def measure(rounds: Rounds, *_: object) -> tuple[float, float]:
        seen.append("compile" if isinstance(rounds.execution, Compiled) else "eager")
        return {"compile": compiled, "eager": 0.005}[seen[-1]], 0.0

    monkeypatch.setattr(measuring, "_seconds_per_step", measure)
    monkeypatch.setattr("gantrain.training.execution.can_compile", lambda: True)
    cfg = config("dataset=ring8")
    found = measuring.measure_speed(cfg, budget, print, lambda steps: cfg)
    assert seen == played
    assert found.execution == ("compile" if compiled < 0.005 and len(played) > 1 else "eager")
    assert (found.short, found.long) == ("eager", "compile")


def test_a_budget_beside_steps_is_refused() -> None:
    with pytest.raises(UserError, match=r"leave out trainer\.steps"):
        plan("budget=5m", "trainer.steps=100")


def test_no_budget_measures_nothing(tried: dict[str, float]) -> None:
    assert plan(*RECIPES)[0].name == OWN
    assert plan(*RECIPES, "budget=5m", "debug.dry=true")[0].debug.dry
    assert tried["tried"] == []


@pytest.mark.parametrize(("lazy", "cycle"), [((), 1), ((8,), 8), ((4, 6), 12)])
def test_speed_over_whole_cycles(monkeypatch: pytest.MonkeyPatch, lazy: tuple[int, ...], cycle: int) -> None:
    """A round costs a millisecond, ten more where a lazy penalty is due, and fifty more where it is logged."""
    now = 0.0

    def play(progress: SimpleNamespace, observe: bool) -> None:
        nonlocal now
        now += 0.001 + 0.05 * observe + 0.01 * sum(progress.step % every == 0 for every in lazy)
        progress.step += 1

    penalties = {str(every): SimpleNamespace(every=every) for every in lazy}
    rounds = SimpleNamespace(
        play=play,
        meter=SimpleNamespace(read=lambda: None),
        game=SimpleNamespace(loss=SimpleNamespace(penalties=penalties), phase=lambda step: 0),
        steps=1000,
    )
    monkeypatch.setattr(measuring.time, "monotonic", lambda: now)
    mean = 0.001 + 0.05 / 50 + 0.01 * sum(cycle // every for every in lazy) / cycle
    assert math.lcm(*lazy) == cycle
    per_step, _ = measuring._seconds_per_step(rounds, 100.0, 50, lambda steps: rounds.game.phase)  # type: ignore[arg-type]
    assert per_step == pytest.approx(mean)


GROWING = [0, 100, 1000, 10_000]
"""First steps of phases, of which each one's steps take ten times as long as the last one's."""


def growing(step: int) -> int:
    return bisect_right(GROWING, step) - 1


@pytest.mark.parametrize("steps", [50, 500, 5000, 50_000])
def test_a_game_that_grows_by_pictures_fills_its_time(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Whatever length the config has, the time of so many steps is found to be theirs."""
    monkeypatch.setattr(measuring, "_seconds_at", lambda rounds, step, *_: (0.001 * 10 ** growing(step), 0.0))
    rounds = SimpleNamespace(steps=20_000, game=SimpleNamespace(phase=growing))
    taken = sum(
        0.001 * 10**k * max(min(end, steps) - begin, 0)
        for k, (begin, end) in enumerate(zip(GROWING, [*GROWING[1:], steps], strict=True))
    )
    found, _ = measuring._seconds_per_step(rounds, taken / measuring.SHARE, 50, lambda _: growing)  # type: ignore[arg-type]
    assert taken / found == pytest.approx(steps, rel=0.1)


def test_a_game_that_grows_with_its_run_needs_no_other_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it is played at 1 ms a step and half at 3 ms, however long it is."""
    monkeypatch.setattr(measuring, "_seconds_at", lambda rounds, step, *_: (0.001 if step < 500 else 0.003, 0.5))
    rounds = SimpleNamespace(steps=1000, game=SimpleNamespace(phase=lambda step: int(step >= 500)))
    found = measuring._seconds_per_step(rounds, 100.0, 50, lambda n: lambda step: int(2 * step >= n))  # type: ignore[arg-type]
    assert found == pytest.approx((0.002, 1.0))


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


@pytest.mark.parametrize(
    "word",
    ["model.generator.dropout=0.1", "init_from=old.pt", "loss.adversarial.gradient=0", "optimizer/schedule=linear"],
)
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


def test_a_budget_that_ends_too_soon_says_so_and_how_to_go_on(
    gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgeting, "measure_speed", lambda *_: budgeting.Speed(1e-5, "cpu"))
    done = gantrain("budget=3s", "metrics=none")
    assert done.returncode == 0, done.stderr
    assert re.search(r"the budget ended at step [\d,]+ of [\d,]{6,}: training was slower than", done.stdout)
    assert re.search(r"^go on   gantrain run=\S+ trainer\.minutes=\d+$", done.stdout, re.MULTILINE)
    timed = gantrain("trainer.minutes=0.02", "metrics=none", "name=timed")
    assert "the budget ended" not in timed.stdout
    assert re.search(r"^go on   gantrain run=\S+ trainer\.minutes=\d+$", timed.stdout, re.MULTILINE)


def test_minutes_that_were_not_the_budgets_stay(tried: dict[str, float]) -> None:
    def went_on(cfg: DictConfig, *words: str) -> tuple[float | None, str | None]:
        changed = change(cfg, words)
        return changed.trainer.minutes, changed.budget

    own, _ = plan("budget=auto", "trainer.minutes=5")
    assert own.budget is None
    assert went_on(own, "trainer.steps=99") == (5, None)
    own.budget = "auto"  # as earlier versions kept it
    assert went_on(own, "trainer.steps=99") == (5, None)
    found, _ = plan("budget=1m")
    assert went_on(found, "log.every=5") == (1, "1m")
    assert went_on(found, "trainer.minutes=7") == (7, None)
    assert went_on(plan("budget=1m")[0], "trainer.steps=99") == (None, None)
    longer = change(plan("budget=1m")[0], ["trainer.minutes=7"])
    assert went_on(longer, "trainer.steps=99") == (7, None)


@pytest.mark.parametrize("words", [("budget=soon",), ("budget=5m", "trainer.steps=9")])
def test_a_sweep_with_a_bad_budget_writes_nothing(gantrain: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = gantrain("-m", *words, "seed=0,1")
    assert done.returncode == 2
    assert not (tmp_path / "outputs").exists()
