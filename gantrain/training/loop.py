"""The training loop, from top to bottom."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from gantrain.errors import Stopped, UserError
from gantrain.report.console import Bar, Console
from gantrain.report.recorder import Recorder
from gantrain.report.sounds import Page
from gantrain.sharded import whole
from gantrain.signals import noted_signals
from gantrain.training.checkpoints import Checkpoints, go_back, logged_at
from gantrain.training.finite import NotFinite, check_losses, check_samples, check_state
from gantrain.training.meter import Clock
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress
from gantrain.training.watch import Watch

Result = TypeVar("Result")
SAID = 5
"""Figures of an evaluation that fit into a line."""


@dataclass(frozen=True)
class Every:
    """Once every so many steps; never where `steps` is None."""

    steps: int | None

    def due(self, step: int) -> bool:
        return self.steps is not None and step % self.steps == 0


@dataclass(frozen=True)
class Limits:
    """When the run ends, what happens once in a while, and how often it may go back to its last good checkpoint."""

    steps: int
    minutes: float | None
    log: Every
    samples: Every
    histograms: Every
    evaluate: Every
    save: Every
    best: str | None = None
    higher_is_better: bool = False
    rollbacks: int = 0
    give_up: float | None = None

    def reached(self, progress: Progress) -> str | None:
        """Why the run ends with this step."""
        if progress.step >= self.steps:
            return "all steps are done"
        if self.minutes is not None and progress.seconds >= 60 * self.minutes:
            return "1 minute is over" if self.minutes == 1 else f"{self.minutes:g} minutes are over"
        return progress.ended

    def followed(self, figures: Mapping[str, float] | None) -> float | None:
        """The figure by which the best checkpoint is chosen."""
        return figures.get(self.best) if figures and self.best else None

    def better(self, value: float | None, than: float | None) -> bool:
        """Whether a figure is the best so far; never where it is not finite."""
        if value is None or not math.isfinite(value):
            return False
        return than is None or (value > than if self.higher_is_better else value < than)


@dataclass
class Run:
    """What the loop works with."""

    rounds: Rounds
    progress: Progress
    limits: Limits
    checkpoints: Checkpoints
    recorder: Recorder
    console: Console
    render_picture: Callable[[int], Page]
    """A picture (height, width, C) of samples as they are in this step."""
    evaluate: Callable[[], dict[str, float]]
    """The figures of every metric, by tag."""
    probe_samples: Callable[[], Tensor]
    """A few samples, to see whether they are finite."""
    watch: Watch
    """Over the run's health."""
    at_once: int = 1
    """How many runs the process trains at once."""


@dataclass(frozen=True)
class Due:
    """A round that a run has to play before anything else; `observe` adds what costs time to its meter."""

    rounds: Rounds
    progress: Progress
    observe: bool

    def play(self) -> None:
        self.rounds.play(self.progress, self.observe)


Training = Generator[Due, None, Result]
"""What trains, and waits for whoever plays its rounds, one at a time; what a round raises is thrown in."""


def play_alone(training: Training[Result]) -> Result:
    """Plays every round as it comes due, and returns what the training gives."""
    try:
        due = next(training)
        while True:
            try:
                due.play()
            except BaseException as error:
                due = training.throw(error)
            else:
                due = next(training)
    except StopIteration as end:
        return end.value


def train(run: Run) -> Training[dict[str, float]]:
    """Trains until the limits, and returns the figures of the last evaluation.

    Raises:
        Stopped: a signal came; the run was saved.
        NotFinite: a loss, a weight or a sample is no number; nothing was saved over a good checkpoint.
    """
    progress, limits, recorder, rounds, watch = run.progress, run.limits, run.recorder, run.rounds, run.watch
    game, learners = rounds.game, rounds.learners
    began, before = time.monotonic(), progress.seconds
    seconds_left = None if limits.minutes is None else 60 * limits.minutes - before
    bar = Bar(run.console, progress.step, limits.steps, rounds.batch_size, seconds_left)
    files, ranks = run.checkpoints.files, rounds.ranks
    clock = Clock(progress.step, rounds.batches.waited, rounds.batch_size, ranks.count / run.at_once)
    best = ranks.first(lambda: files.best_figure(limits.best, progress.step) if limits.best else None)
    if not limits.better(best, progress.best) and progress.best != limits.followed(progress.figures):
        best = progress.best  # else it is of this very step, which may still owe best.pt
    ended: str | None = None
    stopped: signal.Signals | None = None
    watch.replay()

    with noted_signals(aloud=not ranks.number, alone=ranks.count == 1) as noted:
        if limits.rollbacks and ranks.first(lambda: files.last() is None):  # it may go back as far as here
            _check(run, {}, state=True)
            run.checkpoints.save(game, learners, progress)
        if progress.step == 0:
            with clock.beside(), rounds.weights.whole(averages=True):
                watch.look(0)
                recorder.picture(run.render_picture(0), 0)
        owing = progress.step > 0
        while ended is None:
            # play each player's turns; a run that goes on first does what its last step still owes
            logging = not owing and limits.log.due(progress.step + 1)
            if not owing:
                yield Due(rounds, progress, logging)
                progress.seconds = before + time.monotonic() - began
            step = progress.step

            # is this the last step? its health is known from the lines before
            if logging and limits.give_up is not None:
                progress.ended = ranks.first(lambda: watch.hopeless(progress.step, limits.steps, limits.give_up))
            stopped, progress.seconds = ranks.agree(noted.first, progress.seconds)
            ended = f"{stopped.name} received" if stopped else limits.reached(progress)

            # once in a while: log
            saving = not owing and (limits.save.due(step) or ended is not None)
            scheduled = step > 0 and limits.evaluate.due(step)
            evaluating = progress.figures is None and not stopped and (scheduled or ended is not None)
            numbers = rounds.meter.read(go_on=not (logging or saving)) if logging or saving or evaluating else {}
            if logging or saving:
                rates = {f"lr/{name}": learner.rate for name, learner in learners.items()}
                speeds = clock.read(step, rounds.batches.waited) | rounds.machine.memory()
                recorder.numbers(numbers | rates | speeds, step)
                watch.see(step, numbers | rates)
                bar.show({name: numbers[tag] for name in learners if (tag := f"loss/{name}/total") in numbers})
            if not owing:
                bar.at(step)
                if limits.histograms.due(step):
                    recorder.histograms(_histograms(rounds), step)

            # is all of it finite? else go back, or stop
            try:
                _check(run, numbers, state=saving or evaluating)
            except NotFinite as fault:
                _go_back(run, fault)
                clock.read(progress.step, rounds.batches.waited)
                ended, owing = None, True
                continue

            # save, before anything that could fail or be stopped
            if saving:
                run.checkpoints.save(game, learners, progress)

            # evaluate
            if evaluating:
                with clock.beside(evaluating=True), rounds.weights.whole(averages=True):
                    progress.figures = figures = ranks.first(lambda: noted.unless_stopped(run.evaluate))
                if figures is None:  # a signal came; who goes on makes up for it
                    stopped, _ = ranks.agree(noted.first, progress.seconds)
                    ended = f"{stopped.name} received" if stopped else ended
                    if not saving and not owing:
                        run.checkpoints.save(game, learners, progress)
                    continue
                if figures:
                    recorder.numbers(figures | {"speed/evaluation": clock.share_of_evaluations()}, step)
                    watch.see(step, figures)
                    run.console.say(f"step {step:,}  {_said(figures)}")
                value = limits.followed(figures)
                if scheduled:  # the one that ends a run teaches nothing: a run that goes on would not have had it
                    progress.ended = game.tricks.should_stop(figures)
                    progress.best = value if limits.better(value, progress.best) else progress.best
                ended = ended or progress.ended
                is_best = limits.better(value, best)
                if is_best or saving or ended or owing:  # once more: what it taught belongs into the checkpoint
                    saved = run.checkpoints.save(game, learners, progress, best=is_best)
                    best = value if is_best and ranks.first(lambda: saved) else best  # noqa: B023
            elif owing and limits.better(value := limits.followed(progress.figures), best):
                best = value if ranks.first(lambda: run.checkpoints.mark_best(step)) else best  # noqa: B023

            # sample, and look whether all is well
            if limits.samples.due(step) or (ended is not None and not stopped):
                with clock.beside(), rounds.weights.whole(averages=True):
                    watch.look(step)
                    recorder.picture(run.render_picture(step), step)
            owing = False
        bar.close()
        run.console.say(f"ended at step {progress.step:,}: {ended}")
    stopped, _ = ranks.agree(noted.first, progress.seconds)
    if stopped:
        raise Stopped(stopped)
    recorder.finish()
    if run.checkpoints.unsaved:
        raise run.checkpoints.unsaved
    return progress.figures or {}


def _said(figures: Mapping[str, float]) -> str:
    """The first few figures in a line."""
    said = [f"{tag.rpartition('/')[2]} {value:.4g}" for tag, value in figures.items()]
    return "  ".join(said[:SAID]) + (f"  and {len(said) - SAID} more" if len(said) > SAID else "")


def _check(run: Run, numbers: Mapping[str, float], state: bool) -> None:
    """Raises NotFinite where the losses are not, or too many turns were skipped; with `state`, where it is not good."""
    step, weights = run.progress.step, run.rounds.weights
    if run.rounds.skipping is None:
        check_losses(numbers, step, run.rounds.meter.spoilt)
    elif numbers:
        run.rounds.skipping.check(step)
    if state:
        check_state(run.rounds.game, run.rounds.learners, step, weights)
        with weights.whole(averages=True):
            check_samples(run.probe_samples())


def _go_back(run: Run, fault: NotFinite) -> None:
    """To the last good checkpoint; raises the fault where there is none, or the run went back too often."""
    rounds, progress = run.rounds, run.progress

    def last_good() -> Mapping[str, Any] | None:
        if progress.rollbacks >= run.limits.rollbacks:
            return None
        with suppress(UserError):  # there is none that is whole
            return run.checkpoints.files.load_last(run.console.say)
        return None

    good = rounds.ranks.state(last_good)
    if good is None:
        raise fault from None
    go_back(good, rounds.game, rounds.learners, progress)
    rounds.machine.place(rounds.game)
    rounds.execution.begin_anew()
    rounds.meter.clear()
    run.recorder.rewind(progress.step, logged_at(good))
    run.watch.replay()
    run.console.say(f"{fault}: back to step {progress.step:,}, {progress.rollbacks} of {run.limits.rollbacks} times")


def _histograms(rounds: Rounds) -> dict[str, Tensor]:
    found = {}
    for player in rounds.learners:
        module = getattr(rounds.game, player, None)
        for name, parameter in module.named_parameters() if module is not None else ():
            found[f"weight/{player}/{name}"] = whole(parameter)
            if parameter.grad is not None:
                found[f"grad/{player}/{name}"] = whole(parameter.grad)
    return found
