"""How fast a recipe trains on the machine at hand."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache

from omegaconf import DictConfig

from gantrain.commands.assembly import build_game, reuses_fakes
from gantrain.commands.memory_advice import memory_advised
from gantrain.commands.parts import begin, build_parts, build_rounds
from gantrain.config import Execution
from gantrain.training.execution import COMPILING, LONG, suits_compiling
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress

SHARE = 0.92
"""The part of the time that steps may take; figures, pictures and checkpoints have the rest."""
WARM = 2
"""Rounds before the clock starts: memory is laid out, kernels are chosen."""
MEASURED = 0.02
"""The part of the time in which speed is measured …"""
LEAST, MOST = 2.0, 20.0
"""… in seconds at least and at most."""
FAST = 0.1
"""Of the time in which speed is measured, the part below which a round is a quick one."""
PLACES = 20
"""Of a run, at which its phase is looked at."""
TRIES = 10
"""Lengths that are tried at most until one fills the time, where a step's cost depends on it."""
CLOSE = 0.01
"""The part by which the time may be missed then."""
ENDLESS = 2**40
"""Steps within which each game has come to its last phase."""


@dataclass(frozen=True)
class Speed:
    """How fast a recipe trains here."""

    per_step: float
    """Seconds, on average over the run."""
    machine: str
    execution: str = "eager"
    """How it was played when it was measured …"""
    short: str = "eager"
    """… how `trainer.execution` has a run of fewer than `LONG` steps played …"""
    long: str = "eager"
    """… and how one of more."""
    warming: float = 0.0
    """Seconds that the first rounds take longer."""

    def steps_in(self, seconds: float) -> int:
        """How many steps fit, one at least."""
        return max(int((seconds - self.warming) / self.per_step), 1)

    def is_played(self, steps: int) -> bool:
        """Whether a run of so many steps is played as this was measured."""
        return self.execution == (self.long if steps >= LONG else self.short)


def measure_speed(
    cfg: DictConfig, seconds: float | None, say: Callable[[str], None], of_length: Callable[[int], DictConfig]
) -> Speed:
    """Plays a few rounds of a run and throws them away.

    A run that would be compiled when it fills the time is measured compiled, where compiling it pays.

    Args:
        seconds: of the whole run, of which this takes a small part; None where the config's own steps are its length.
        say: is told what is done to the data.
        of_length: the same config for so many steps.

    Raises:
        OutOfMemory: it does not fit.
    """
    speed = _measure(cfg, seconds, say, of_length)
    steps = cfg.trainer.steps if seconds is None else speed.steps_in(SHARE * seconds)
    if speed.is_played(steps) or (seconds is not None and seconds < COMPILING):
        return speed
    say("measuring it compiled too, which takes up to a minute the first time")
    compiled = _measure(cfg, seconds, say, of_length, long=True)
    pays = seconds is None or compiled.steps_in(SHARE * seconds) > steps
    return compiled if pays else speed


def _measure(
    cfg: DictConfig,
    seconds: float | None,
    say: Callable[[str], None],
    of_length: Callable[[int], DictConfig],
    long: bool = False,
) -> Speed:
    """The speed of a run that is played as short ones are, or as long ones."""

    def phases_of(steps: int) -> Callable[[int], int]:
        return build_game(of_length(steps)).phase

    with memory_advised(cfg):
        parts = build_parts(cfg, None, say)
        short = longer = parts.execution
        if cfg.trainer.execution is Execution.auto and not reuses_fakes(cfg, parts.game):
            short = "eager"
            longer = "compile" if suits_compiling(parts.game, parts.machine, cfg.trainer.accumulate) else short
        parts = replace(parts, execution=longer if long else short)
        with closing(parts.source.open(parts.context)) as batches:
            rounds = build_rounds(cfg, parts, batches, say)
            begin(rounds)
            per_step, warming = _seconds_per_step(rounds, seconds, cfg.log.every, phases_of)
    return Speed(per_step, str(parts.machine), parts.execution, short, longer, warming)


def _seconds_per_step(
    rounds: Rounds, seconds: float | None, every: int, phases_of: Callable[[int], Callable[[int], int]]
) -> tuple[float, float]:
    """On average over the run, and how many the first rounds take longer.

    Of a game that grows each phase is measured, and counts by how long the run plays it. That depends on the run's
    length, and the length on how long the phases take: lengths are tried until one fills the time.

    Args:
        seconds: of the whole run; None where it has the steps of the rounds.
        every: steps between those that are logged.
        phases_of: of a run of so many steps, the phase by step.
    """
    first = rounds.game.phase
    enough = MOST if seconds is None else min(max(MEASURED * seconds, LEAST), MOST)
    enough /= len(_shares(first, rounds.steps))
    warming = 0.0

    @cache
    def seconds_in(phase: int) -> float:
        nonlocal warming
        each, warm = _seconds_at(rounds, bisect_left(range(ENDLESS), phase, key=first), enough, every)
        warming += warm
        return each

    def mean(phase: Callable[[int], int], steps: int) -> float:
        return sum(share * seconds_in(found) for found, share in _shares(phase, steps).items())

    each = mean(first, rounds.steps)
    if seconds is None or first(ENDLESS) == first(0):
        return each, warming
    each = _filling(lambda steps: mean(phases_of(steps), steps), SHARE * seconds, rounds.steps)
    return each, warming


def _shares(phase: Callable[[int], int], steps: int) -> dict[int, float]:
    """The part of a run that each of its phases takes."""
    counts = Counter(phase(steps * k // PLACES) for k in range(PLACES))
    return {found: count / PLACES for found, count in sorted(counts.items())}


def _filling(mean: Callable[[int], float], seconds: float, steps: int) -> float:
    """What a step takes, on average over the run that fills the time.

    Args:
        mean: of a run of so many steps.
        steps: the first guess.
    """
    low, high = 0, ENDLESS
    for _ in range(TRIES):
        each = mean(steps)
        fitting = max(int(seconds / each), 1)
        if abs(fitting - steps) <= CLOSE * steps:
            break
        low, high = (steps, high) if fitting > steps else (low, steps)
        steps = fitting if low < fitting < high else max((low + high) // 2, 1)
    return each


def _seconds_at(rounds: Rounds, step: int, enough: float, every: int) -> tuple[float, float]:
    """Measured from a step on, over whole cycles of what is not played in every round, such as a lazy penalty.

    With the part of a logged round that each round bears. And the seconds by which the first rounds took longer.
    """
    progress = Progress(step)

    def play(times: int, observe: bool = False) -> float:
        began = time.monotonic()
        for _ in range(times):
            rounds.play(progress, observe)
        rounds.meter.read()  # waits for the device
        return time.monotonic() - began

    first = play(WARM)
    cycle = math.lcm(*(penalty.every for penalty in rounds.game.loss.penalties.values()))
    progress.step = -(-step // cycle) * cycle  # where all that is played once in a cycle is due
    due, once = play(1), play(1)
    if once * cycle > MOST:
        return (due + (cycle - 1) * once) / cycle, 0.0
    times = cycle * max(int(min(enough, 1.0) / (once * cycle)), 1)  # seldom waits, so that a GPU is kept busy
    spent = [play(times)]
    while sum(spent) < enough:
        spent.append(play(times))
    each = sum(spent) / (len(spent) * times)
    quick = once < FAST * enough  # what is logged of a slow round costs little beside it
    logged = min(play(1, observe=True) for _ in range(WARM)) - once if quick else 0.0
    return each + max(logged, 0.0) / every, max(first - WARM * max(each, due), 0.0)
