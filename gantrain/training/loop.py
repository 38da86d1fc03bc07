"""The training loop, from top to bottom."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
from torch import Tensor

from gantrain.errors import Stopped
from gantrain.report.console import Bar, Console
from gantrain.report.recorder import Recorder
from gantrain.training.checkpoints import Checkpoints
from gantrain.training.round import Progress, Round


class NotFinite(RuntimeError):
    """A loss is no number any more."""


@dataclass(frozen=True)
class Every:
    """Once every so many steps; never where `steps` is None."""

    steps: int | None

    def due(self, step: int) -> bool:
        return self.steps is not None and step % self.steps == 0


@dataclass(frozen=True)
class Limits:
    """When the run ends, and what happens once in a while."""

    steps: int
    minutes: float | None
    log: Every
    samples: Every
    histograms: Every
    evaluate: Every
    save: Every
    best: str | None = None
    higher_is_better: bool = False


@dataclass
class Run:
    """What the loop works with. `look` makes a picture of samples, `judge` evaluates."""

    round: Round
    progress: Progress
    limits: Limits
    checkpoints: Checkpoints
    recorder: Recorder
    console: Console
    look: Callable[[str], np.ndarray]
    judge: Callable[[], dict[str, float]]


def train(run: Run) -> dict[str, float]:
    """Trains until the limits, and returns the figures of the last evaluation.

    Raises:
        Stopped: a signal came; the run was saved.
        NotFinite: a loss is no number; nothing was saved over a good checkpoint.
    """
    progress, limits, recorder = run.progress, run.limits, run.recorder
    game, players = run.round.game, run.round.players
    began, before = time.monotonic(), progress.seconds
    bar = Bar(run.console, progress.step, limits.steps, run.round.batch_size)
    clock = _Clock(run.round, progress)
    figures: dict[str, float] = {}
    ended: str | None = None
    stopped: signal.Signals | None = None
    if progress.step == 0:
        recorder.picture(run.look("step 0"), 0)

    with _signals() as caught:
        while ended is None:
            # play each player's turns
            logging = limits.log.due(progress.step + 1)
            run.round.play(progress, observe=logging)
            step = progress.step
            progress.seconds = before + time.monotonic() - began

            # is this the last step?
            if step >= limits.steps:
                ended = "all steps are done"
            elif limits.minutes is not None and progress.seconds >= 60 * limits.minutes:
                ended = f"{limits.minutes:g} minutes are over"
            elif caught:
                stopped, ended = caught[0], f"{caught[0].name} received"

            # once in a while: log
            saving = limits.save.due(step) or ended is not None
            if logging or saving:
                numbers = run.round.meter.read()
                numbers |= {f"lr/{name}": player.rate for name, player in players.items()}
                recorder.numbers(numbers | clock.read(), step)
                bar.show({name: numbers[f"loss/{name}/total"] for name in players})
                _check_finite(numbers, step, run.checkpoints.folder)
            if limits.histograms.due(step):
                recorder.histograms(_histograms(run.round), step)
            bar.at(step)

            # save, before anything that could fail
            if saving:
                run.checkpoints.save(game, players, progress)

            # evaluate
            if limits.evaluate.due(step) or (ended and not stopped):
                figures = run.judge()
                if figures:
                    recorder.numbers(figures, step)
                    run.console.say(f"step {step:,}  " + "  ".join(f"{_last(k)} {v:.4g}" for k, v in figures.items()))
                reasons = [trick.should_stop(figures) for trick in game.each_trick()]
                ended = ended or next((reason for reason in reasons if reason), None)
                best = _is_best(figures, limits, progress)
                if best or saving or ended:  # once more: what the evaluation taught belongs into the checkpoint
                    file = run.checkpoints.save(game, players, progress)
                    if best:
                        run.checkpoints.mark_best(file)

            # sample
            if limits.samples.due(step) or ended:
                recorder.picture(run.look(f"step {step:,}"), step)
    bar.close()
    recorder.finish()
    run.console.say(f"ended at step {progress.step:,}: {ended}")
    if stopped:
        raise Stopped(stopped)
    return figures


def _last(tag: str) -> str:
    return tag.rpartition("/")[2]


class _Clock:
    """Speeds since the last reading."""

    def __init__(self, round: Round, progress: Progress) -> None:
        self._round, self._progress = round, progress
        self._mark = (time.monotonic(), progress.step, round.batches.waited)

    def read(self) -> dict[str, float]:
        then, mark = self._mark, (time.monotonic(), self._progress.step, self._round.batches.waited)
        self._mark = mark
        seconds, steps, waited = (now - was for now, was in zip(mark, then, strict=True))
        images = steps * self._round.batch_size
        return {
            "speed/images_per_second": images / max(seconds, 1e-9),
            "speed/seconds_per_1000_images": 1000 * seconds / max(images, 1),
            "speed/data_wait": waited / max(seconds, 1e-9),
        }


def _check_finite(numbers: Mapping[str, float], step: int, checkpoints: Path) -> None:
    bad = [tag for tag, value in numbers.items() if tag.startswith("loss/") and not math.isfinite(value)]
    if bad:
        saved = sorted(checkpoints.glob("step_*.pt"))
        back = f"; the last good checkpoint is {saved[-1]}" if saved else ""
        raise NotFinite(
            f"{bad[0]} is not finite by step {step:,}: try a lower learning rate, tricks=[ema,gradient_clipping] or "
            f"trainer.precision=fp32{back}"
        )


def _is_best(figures: Mapping[str, float], limits: Limits, progress: Progress) -> bool:
    value = figures.get(limits.best) if limits.best else None
    if value is None or not math.isfinite(value):
        return False
    if progress.best is not None and (value <= progress.best if limits.higher_is_better else value >= progress.best):
        return False
    progress.best = value
    return True


def _histograms(round: Round) -> dict[str, Tensor]:
    found = {}
    for player in round.players:
        module = getattr(round.game, player, None)
        for name, parameter in module.named_parameters() if module is not None else ():
            found[f"weight/{player}/{name}"] = parameter
            if parameter.grad is not None:
                found[f"grad/{player}/{name}"] = parameter.grad
    return found


@contextmanager
def _signals() -> Iterator[list[signal.Signals]]:
    """Notes SIGINT and SIGTERM so that the step can be finished; a second one of the same kind acts at once."""
    caught: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def note(number: int, _: FrameType | None) -> None:
        caught.append(signal.Signals(number))
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, note)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
