"""`budget=30m`: the recipe and the length that make the best of a time on the machine at hand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from omegaconf import DictConfig

from gantrain.commands.assembly import build_game
from gantrain.commands.measuring import SHARE, Speed, measure_speed
from gantrain.commands.memory_advice import OutOfMemory
from gantrain.config import complete, compose, left_to_budget, minutes_of, names_recipe, parse
from gantrain.errors import UserError
from gantrain.report.console import Console
from gantrain.training.machine import choose_device

ON_CPU = "25m"
"""What `budget: auto` is where there is no GPU: with start-up and last figures it ends within half an hour."""
ON_GPU = "1d"
"""What it is on a GPU where the recipe of its own choice would take longer."""
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
class Recipe:
    """An experiment that a budget may choose, or the data set's own settings where it has no name."""

    name: str | None
    wanted: int
    """Steps from which on it is worth its cost."""
    compose: Callable[..., DictConfig]
    """Its complete config with words more."""

    def speed(self, seconds: float | None, say: Callable[[str], None]) -> Speed:
        """As `measure_speed` has it."""
        return measure_speed(self.compose(), seconds, say, lambda steps: self.compose(f"trainer.steps={steps}"))


def planned(words: Sequence[str], cfg: DictConfig, config_name: str, console: Console, ranks: int = 1) -> DictConfig:
    """The complete config of a run, inside `hydra_at`: with a budget, of the recipe and the length that suit it.

    What is worked out stands in the config like any choice, and a run that goes on keeps it; a budget that decides
    nothing is none there.

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
        own.budget = None
        return own
    began = time.monotonic()

    def composed(*more: str) -> DictConfig:
        return complete(compose([*words, *more], config_name), console.say_once)

    judged = [] if {"metrics", "metrics.use"} & named else ["metrics=auto"]  # an experiment's may need what is not here
    known: Mapping[str, int] = {} if names_recipe(named) or not shipped else dict(own.recipes)
    others = [Recipe(name, known[name], partial(composed, f"experiment={name}", *judged)) for name in known]
    recipes = [Recipe(None, 0, composed), *others]
    if budget == "auto" and choose_device(own.trainer.device).type != "cpu":
        chosen = _worth(recipes, console, alone=ranks == own.trainer.replicas == 1)
        if chosen is not None:
            return chosen
        budget = ON_GPU
    budget = _for_one_run(ON_CPU if budget == "auto" else budget, ranks, own.trainer.replicas)
    return _filling(budget, recipes, console, began)


def _filling(budget: str, recipes: Sequence[Recipe], console: Console, began: float) -> DictConfig:
    """The config of the run that makes the best of a time that began then."""
    seconds = 60 * minutes_of(budget)
    chosen, speed = _widest(recipes, seconds, console.say_once)
    left = seconds - (time.monotonic() - began)
    steps = speed.steps_in(SHARE * left)
    length = [f"trainer.steps={steps}", f"trainer.minutes={max(left / 60, 0.01):.4g}"]
    if speed.short != speed.long:  # played as it was measured, for which the steps were found
        length.append(f"trainer.execution={speed.execution}")
    final = chosen.compose(*length)
    said = f"{f'{chosen.name}, ' if chosen.name else ''}{_rate(speed)} steps a second on {speed.machine}"
    console.say(f"budget {budget}: {said}, so {steps:,} steps, until about {clock_in(left)}")
    if steps < FEW_STEPS:
        way_out = " or smaller pictures, dataset.image_size=…" if "image_size" in final.dataset else ""
        console.say(f"so few steps teach little: give it a longer budget{way_out}")
    _say_expected(final, console)
    return final


def _say_expected(cfg: DictConfig, console: Console) -> None:
    if len(cfg.data.shape) == 3:
        shown = cfg.trainer.steps * cfg.trainer.batch_size * cfg.loss.get("n_critic", 1)
        console.say(f"expect: {expectation(shown)}")


def clock_in(seconds: float) -> str:
    """The time of day in so many seconds, with the day where it is another."""
    now = time.time()
    then = time.localtime(now + seconds)
    today = time.localtime(now)[:3] == then[:3]
    return time.strftime("%H:%M" if today else "%H:%M on %A, %d %B", then)


def _for_one_run(budget: str, ranks: int, replicas: int) -> str:
    if replicas > 1:
        raise UserError(f"budget={budget} is of one run: set trainer.steps for trainer.replicas={replicas}")
    if ranks > 1:
        raise UserError(
            f"budget={budget} measures how fast one process trains, but there are {ranks}: set trainer.minutes or "
            "trainer.steps instead"
        )
    return budget


def _worth(recipes: Sequence[Recipe], console: Console, alone: bool) -> DictConfig | None:
    """The config of the costliest recipe that fits the data and the device, at its own length.

    None where that takes longer than `ON_GPU`, which is said then. The time is told of one process with one run,
    `alone`, that several would share.
    """
    for recipe in reversed(recipes):
        try:
            cfg = recipe.compose()
            build_game(cfg)
            speed = recipe.speed(None, console.say_once) if alone else None
        except (UserError, OutOfMemory):  # made for other sizes
            if recipe is recipes[0]:
                raise
            continue
        said = f"{recipe.name or cfg.name}, {cfg.trainer.steps:,} steps"
        if speed is None:
            console.say(f"budget auto: {said}")
            return cfg
        seconds = (speed.warming + speed.per_step * cfg.trainer.steps) / SHARE
        if seconds > 60 * minutes_of(ON_GPU):
            console.say(f"budget auto: {said} would take about {duration(seconds)} here, so budget={ON_GPU}")
            return None
        pace = f"{_rate(speed)} steps a second on {speed.machine}"
        console.say(f"budget auto: {said}, {pace}: {duration(seconds)}, until about {clock_in(seconds)}")
        _say_expected(cfg, console)
        return cfg
    raise AssertionError("the data set's own comes last")


def duration(seconds: float) -> str:
    """So many seconds in words."""
    for most, unit, name in ((5400, 60, "minute"), (172_800, 3600, "hour"), (math.inf, 86_400, "day")):
        if seconds < most:
            count = max(round(seconds / unit), 1)
            return f"{count} {name}{'s' * (count > 1)}"
    raise AssertionError("the last unit has no end")


def _rate(speed: Speed) -> str:
    rate = 1 / speed.per_step
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _widest(recipes: Sequence[Recipe], seconds: float, say: Callable[[str], None]) -> tuple[Recipe, Speed]:
    """The costliest recipe of which the time allows its steps, and its speed.

    The data set's own comes first and is the cheapest, and the others follow by cost. One whose steps would not fit
    even at the speed of the one before is not tried, for a step of it can take minutes; one that does not fit the data
    is passed over.
    """
    chosen, best = recipes[0], recipes[0].speed(seconds, say)
    for recipe in recipes[1:]:
        if recipe.wanted * best.per_step > SHARE * seconds:
            break
        try:
            speed = recipe.speed(seconds, say)
        except (UserError, OutOfMemory):
            continue
        if recipe.wanted * speed.per_step > SHARE * seconds:
            break
        chosen, best = recipe, speed
    return chosen, best


def expectation(shown: int) -> str:
    """What to expect of samples when D was shown so many real pictures."""
    return next(words for most, words in EXPECTED.items() if shown < most)
