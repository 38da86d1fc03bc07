"""`budget=30m`: the recipe and the length that make the best of a time on the machine at hand."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from omegaconf import DictConfig

from gantrain.commands.assembly import build_game
from gantrain.commands.memory_advice import OutOfMemory, memory_advised
from gantrain.commands.parts import begin, build_parts, build_rounds
from gantrain.config import complete, compose, left_to_budget, minutes_of, names_recipe, parse
from gantrain.errors import UserError
from gantrain.report.console import Console
from gantrain.training.machine import choose_device
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress

ON_CPU = "25m"
"""What `budget: auto` is where there is no GPU: with start-up and last figures it ends within half an hour."""
SHARE = 0.92
"""The part of the time that steps may take; figures, pictures and checkpoints have the rest."""
WARM = 2
"""Rounds before the clock starts: memory is laid out, kernels are chosen."""
MEASURED = 0.02
"""The part of the time in which speed is measured …"""
LEAST, MOST = 2.0, 20.0
"""… in seconds at least and at most."""
PLACES = 20
"""Of a run, at which its phase is looked at."""
FEW_STEPS = 500
"""With fewer steps than this networks have hardly learnt anything."""

EXPECTED = {
    30_000: "colours and blurred shapes",
    300_000: "of one kind of thing, such as faces, many that are right at a glance; of many kinds only their look",
    3_000_000: "one kind of thing with few faults; of many kinds some that can be told",
    math.inf: "about as much as these networks can learn",
}
"""What samples are like of runs that were shown fewer real pictures than this, by those of faces and of CIFAR-10."""


@dataclass(frozen=True)
class Speed:
    """How fast a recipe trains here."""

    per_step: float
    """Seconds."""
    machine: str


def planned(words: Sequence[str], cfg: DictConfig, config_name: str, console: Console, ranks: int = 1) -> DictConfig:
    """The complete config of a run, inside `hydra_at`: with a budget, of the recipe and the length that suit it.

    What is worked out stands in the config like any choice: a run that goes on keeps it.

    Args:
        words: the overrides that made `cfg`.
        console: is told what was found.
        ranks: how many processes train together.

    Raises:
        UserError: the config cannot be completed, gives a budget and a length, or one for several runs or processes.
    """
    named = {override.key_or_group for override in parse(words, config_name)}
    own = complete(cfg, console.say_once)
    budget = left_to_budget(own.budget, named)
    shipped = config_name == "train"  # what stands in a config of one's own was chosen too
    if budget is None or own.debug.dry or (budget == "auto" and not shipped):
        return own
    began = time.monotonic()
    recipes: Mapping[str, int] = {} if names_recipe(named) or not shipped else dict(own.recipes)
    judged = [] if {"metrics", "metrics.use"} & named else ["metrics=auto"]  # an experiment's may need what is not here

    def with_words(*more: str) -> DictConfig:
        return complete(compose([*words, *more], config_name), console.say_once)

    candidates = {recipe: [f"experiment={recipe}", *judged] for recipe in recipes}
    if budget == "auto" and choose_device(own.trainer.device).type != "cpu":
        return _worth(own, candidates, with_words, console)
    budget = _for_one_run(ON_CPU if budget == "auto" else budget, ranks, own.trainer.replicas)
    seconds = 60 * minutes_of(budget)
    worth = {recipe: (recipes[recipe], more) for recipe, more in candidates.items()}
    chosen, speed = _widest(own, worth, with_words, seconds, console.say_once)
    left = seconds - (time.monotonic() - began)
    steps = max(int(SHARE * left / speed.per_step), 1)
    ends = time.strftime("%H:%M", time.localtime(time.time() + left))
    said = f"{f'{chosen}, ' if chosen else ''}{_rate(speed)} steps a second on {speed.machine}"
    console.say(f"budget {budget}: {said}, so {steps:,} steps, until about {ends}")
    if steps < FEW_STEPS:
        way_out = " or smaller pictures, dataset.image_size=…" if "image_size" in own.dataset else ""
        console.say(f"so few steps teach little: give it a longer budget{way_out}")
    length = (f"trainer.steps={steps}", f"trainer.minutes={max(left / 60, 0.01):.4g}")
    final = with_words(*candidates.get(chosen or "", []), *length)
    if len(final.data.shape) == 3:
        console.say(f"expect: {expectation(steps * final.trainer.batch_size * final.loss.get('n_critic', 1))}")
    return final


def _for_one_run(budget: str, ranks: int, replicas: int) -> str:
    if replicas > 1:
        raise UserError(f"budget={budget} is of one run: set trainer.steps for trainer.replicas={replicas}")
    if ranks > 1:
        raise UserError(
            f"budget={budget} measures how fast one process trains, but there are {ranks}: set trainer.minutes or "
            "trainer.steps instead"
        )
    return budget


def _worth(
    own: DictConfig,
    candidates: Mapping[str, Sequence[str]],
    with_words: Callable[..., DictConfig],
    console: Console,
) -> DictConfig:
    """The costliest recipe that fits the data, at its own length; the data set's own where none does."""
    for recipe, more in reversed(list(candidates.items())):
        with suppress(UserError):  # made for other sizes
            cfg = with_words(*more)
            build_game(cfg)
            console.say(f"budget auto: {recipe}, {cfg.trainer.steps:,} steps")
            return cfg
    return own


def _rate(speed: Speed) -> str:
    rate = 1 / speed.per_step
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _widest(
    own: DictConfig,
    candidates: Mapping[str, tuple[int, Sequence[str]]],
    with_words: Callable[..., DictConfig],
    seconds: float,
    say: Callable[[str], None],
) -> tuple[str | None, Speed]:
    """The costliest recipe of which the time allows its steps, None for the data set's own, and its speed.

    The data set's own is the cheapest, and the others follow by cost. One whose steps would not fit even at the speed
    of the one before is not tried, for a step of it can take minutes; one that does not fit the data is passed over.

    Args:
        candidates: for each recipe the steps from which it is worth its cost, and the words that choose it.
        with_words: the config with words more.
    """
    chosen: str | None = None
    best = measure_speed(own, seconds, say)
    for recipe, (wanted, more) in candidates.items():
        if wanted * best.per_step > SHARE * seconds:
            break
        try:
            speed = measure_speed(with_words(*more), seconds, say)
        except (UserError, OutOfMemory):
            continue
        if wanted * speed.per_step > SHARE * seconds:
            break
        chosen, best = recipe, speed
    return chosen, best


def expectation(shown: int) -> str:
    """What to expect of samples when D was shown so many real pictures."""
    return next(words for most, words in EXPECTED.items() if shown < most)


def measure_speed(cfg: DictConfig, seconds: float, say: Callable[[str], None]) -> Speed:
    """Plays a few rounds of a run and throws them away.

    Args:
        seconds: of the whole run, of which this takes a small part.
        say: is told what is done to the data.

    Raises:
        OutOfMemory: it does not fit.
    """
    with memory_advised(cfg):
        parts = build_parts(cfg, None, say)
        with closing(parts.source.open(parts.context)) as batches:
            rounds = build_rounds(cfg, parts, batches, say)
            begin(rounds)
            per_step = _seconds_per_step(rounds, min(max(MEASURED * seconds, LEAST), MOST))
    return Speed(per_step, str(parts.machine))


def _seconds_per_step(rounds: Rounds, enough: float) -> float:
    """Measured in each phase of a game that grows, which counts by how long the run plays it."""
    places = [rounds.steps * k // PLACES for k in range(PLACES)]
    phases = Counter(rounds.game.phase(step) for step in places)
    first = {rounds.game.phase(step): step for step in reversed(places)}
    return sum(
        count / PLACES * _seconds_at(rounds, first[phase], enough * count / PLACES) for phase, count in phases.items()
    )


def _seconds_at(rounds: Rounds, step: int, enough: float) -> float:
    """Measured from a step on, over whole cycles of what is not played in every round, such as a lazy penalty."""
    progress = Progress(step)

    def play(times: int) -> float:
        began = time.monotonic()
        for _ in range(times):
            rounds.play(progress)
        rounds.meter.read()  # waits for the device
        return time.monotonic() - began

    play(WARM)
    cycle = math.lcm(*(penalty.every for penalty in rounds.game.loss.penalties.values()))
    progress.step = -(-step // cycle) * cycle  # where all that is played once in a cycle is due
    due, once = play(1), play(1)
    if once * cycle > MOST:
        return (due + (cycle - 1) * once) / cycle
    times = cycle * max(int(min(enough, 1.0) / (once * cycle)), 1)  # seldom waits, so that a GPU is kept busy
    spent = [play(times)]
    while sum(spent) < enough:
        spent.append(play(times))
    return sum(spent) / (len(spent) * times)
