"""`gantrain train`: a run, from a complete config to its last picture."""

from __future__ import annotations

import math
import shlex
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gantrain.commands.assembly import plain
from gantrain.commands.chosen import chosen_settings
from gantrain.commands.dry import dry
from gantrain.commands.evaluation import best_answers_of, evaluation_of
from gantrain.commands.memory_advice import is_out_of_memory, memory_advised, out_of_memory
from gantrain.commands.nonfinite_advice import nonfinite_advice
from gantrain.commands.parts import Parts, begin, build_parts, build_rounds, open_data
from gantrain.commands.pictures import picture_maker
from gantrain.commands.probing import Probe
from gantrain.commands.report import reported_at_the_end
from gantrain.commands.sampling import generate_samples, with_inputs
from gantrain.commands.together import tell, way_out
from gantrain.commands.verdict import not_finite, say_failure, say_verdict
from gantrain.config import OnFailure, OnNonfinite
from gantrain.errors import Stopped
from gantrain.games import Request
from gantrain.health import Health, facts_of
from gantrain.metrics import Metric, RealData, evaluate, protocols
from gantrain.report.console import Console
from gantrain.report.recorder import Recorder
from gantrain.report.sounds import Page
from gantrain.runs import RunFolder
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.training import loop
from gantrain.training.checkpoints import Checkpoints, logged_at
from gantrain.training.finite import NotFinite
from gantrain.training.loop import Every, Limits, Run, Training
from gantrain.training.ranks import ALONE, Ranks
from gantrain.training.rounds import Rounds
from gantrain.training.state import Progress
from gantrain.training.watch import Watch

ROLLBACKS = 5
"""How often trainer.on_nonfinite=rollback goes back."""
PROBED = 16
"""Samples that are looked at before a checkpoint is called good."""


def train(
    cfg: DictConfig,
    console: Console,
    command: str,
    folder: RunFolder | None = None,
    state: Mapping[str, Any] | None = None,
    quiet: bool = False,
    ranks: Ranks = ALONE,
) -> dict[str, float]:
    """Runs a complete config, as `training` has it; returns the final figures."""
    return loop.play_alone(training(cfg, console, command, folder, state, quiet, ranks))


def training(
    cfg: DictConfig,
    console: Console,
    command: str,
    folder: RunFolder | None = None,
    state: Mapping[str, Any] | None = None,
    quiet: bool = False,
    ranks: Ranks = ALONE,
    at_once: int = 1,
) -> Training[dict[str, float]]:
    """A run of a complete config, from its folder to its report; it gives the final figures.

    Args:
        command: the command line as it was typed.
        folder: of the run; by default a new one below outputs_dir.
        state: a checkpoint to go on from.
        quiet: leave out the closing hints.
        ranks: the processes that train together, of which this is the first; the others `follow`.
        at_once: how many runs this process trains at once.

    Raises:
        UserError: before anything is written.
        Stopped: by a signal, after saving.
        Exception: what failed while running; status.json says it too.
    """
    state = tell(ranks, cfg, state)
    with memory_advised(cfg, at_once):
        parts = build_parts(cfg, state, console.say_once, ranks)
        with closing(open_data(parts, ranks)) as batches, closing(parts.real_data(batches)) as real_data:
            rounds = build_rounds(cfg, parts, batches, console.say, ranks)
            begin(rounds, again=state is not None)
            if cfg.debug.dry:
                return dry(rounds, console)
            render_picture, real = picture_maker(parts.game, parts.source, batches, parts.machine, cfg.seed)
            for metric in parts.metrics.values():
                metric.prepare(real_data)
            folder = folder or RunFolder.fresh(Path(cfg.outputs_dir).expanduser() / cfg.name)
            _say_where(folder, ranks)
            with (
                folder.status.owned(),
                reported_at_the_end(folder, cfg, console),
                _open_run(cfg, parts, rounds, real_data, folder, console, render_picture, logged_at(state)) as run,
            ):
                machine = f"{parts.machine}{ranks}{_way_of(rounds, at_once)}"
                begin_run = partial(_begin_run, run, folder, command, machine, real)
                figures = yield from _train_guarded(run, begin_run, cfg, folder, quiet, at_once)
                run.recorder.settings(chosen_settings(cfg), figures or _totals(run.recorder))
    if not quiet:
        say_what_next(folder, cfg, parts.progress, console)
    return figures


def _way_of(rounds: Rounds, at_once: int) -> str:
    """How turns are played, where that is not as usual, to be said after the machine."""
    together = f", one of {at_once} runs at once" if at_once > 1 else ""
    return f"{rounds.execution}{', fakes reused' if rounds.reuses_fakes else ''}{together}"


def _begin_run(run: Run, folder: RunFolder, command: str, machine: str, real: Page | None) -> None:
    folder.write_config(run.checkpoints.facts["config"])
    folder.status.begin(command, machine)
    run.console.say(f"run: {folder}  ({machine})")
    if notice := run.rounds.execution.notice:
        run.console.say(notice)
    if real is not None:
        run.recorder.real(real)


def _say_where(folder: RunFolder, ranks: Ranks) -> None:
    """Tells the other processes the folder, and who finds one of them gone that status.json is to say so."""
    ranks.first(lambda: str(folder))
    ranks.when_lost(partial(folder.status.end, "failed"), partial(way_out, folder))


def say_what_next(folder: RunFolder, cfg: DictConfig, progress: Progress, console: Console) -> None:
    """Where the run's files are, and how it goes on; what the clock ended before its last step needs more time."""
    steps, minutes = cfg.trainer.steps, cfg.trainer.minutes
    more = "trainer.steps=…"
    if progress.step < steps and minutes is not None and progress.seconds >= 60 * minutes:
        more = f"trainer.minutes={math.ceil(1.1 * progress.seconds / 60 * steps / max(progress.step, 1))}"
        if cfg.budget is not None:
            console.say(
                f"the budget ended at step {progress.step:,} of {steps:,}: training was slower than when it was "
                "measured, and the learning rate has not come to its end"
            )
    console.say(f"report  {folder.report}")
    console.say(f"look    {folder.samples.final}")
    console.say(f"curves  tensorboard --logdir {shlex.quote(str(folder))}")
    console.say(f"sample  gantrain sample {shlex.quote(f'run={folder}')} n=64")
    console.say(f"go on   gantrain {shlex.quote(f'run={folder}')} {more}")


@contextmanager
def _open_run(
    cfg: DictConfig,
    parts: Parts,
    rounds: Rounds,
    real_data: RealData,
    folder: RunFolder,
    console: Console,
    render_picture: Callable[[int], Page],
    logged: Mapping[str, int] | None,
) -> Iterator[Run]:
    """What the loop works with, while its files are open; `logged` as `Recorder` takes it."""
    game, machine, seed = parts.game, parts.machine, cfg.seed

    def evaluate_all() -> dict[str, float]:
        if not parts.metrics:
            return {}
        at_once = cfg.trainer.batch_size // cfg.trainer.accumulate
        answers = best_answers_of(cfg, game, parts.learners, real_data, machine, parts.progress.step)
        evaluation = evaluation_of(game, real_data, machine, seed, at_once, parts.progress.step, answers)
        figures = evaluate(parts.metrics, evaluation)
        measured = protocols(parts.metrics, evaluation)
        with suppress(OSError):  # a full disk: the next evaluation says it again
            folder.protocols.add({tag: measured[tag].to_dict() for tag in figures if tag in measured})
        return figures

    facts = {"config": OmegaConf.to_yaml(cfg), "data": dict(rounds.batches.facts), "execution": parts.execution}
    health = Health(facts_of(plain(cfg)))
    probe = Probe(game, real_data, machine, seed, cfg.trainer.batch_size // cfg.trainer.accumulate)
    console.keep_in(folder.open_log())
    sinks = (cfg.log.sinks, chosen_settings(cfg))
    with Recorder(folder, parts.progress.step, *sinks, say=console.say, logged=logged) as recorder:
        stops = cfg.checkpoint.on_failure is OnFailure.stop
        checkpoints = Checkpoints(
            folder.checkpoints, cfg.checkpoint.keep, facts, recorder.mark, say=console.say, stops=stops
        )
        yield Run(
            rounds=rounds,
            progress=parts.progress,
            limits=limits_of(cfg, parts.metrics),
            checkpoints=checkpoints,
            recorder=recorder,
            console=console,
            render_picture=render_picture,
            evaluate=evaluate_all,
            probe_samples=sample_prober(cfg, parts, rounds),
            watch=Watch(health, folder, recorder, console, probe),
        )


def sample_prober(cfg: DictConfig, parts: Parts, rounds: Rounds) -> Callable[[], Tensor]:
    """What makes a few samples, as networks are when it is called."""
    game, machine, seed = parts.game, parts.machine, cfg.seed
    seed_default(mix(seed, Purpose.EVALUATION), machine.device)
    probed = with_inputs(game, Request(PROBED), rounds.batches.draw(0, PROBED) if game.inputs else {})

    def probe_samples() -> Tensor:
        now = replace(probed, step=parts.progress.step)
        made = generate_samples(game, machine, now, seed, Purpose.EVALUATION)
        return torch.cat([samples.x.flatten() for samples in made.values()])

    return probe_samples


def limits_of(cfg: DictConfig, metrics: Mapping[str, Metric]) -> Limits:
    """When the run ends, and what happens how often."""
    better = {f"metrics/{key}" for metric in metrics.values() for key in metric.higher_is_better}
    return Limits(
        steps=cfg.trainer.steps,
        minutes=cfg.trainer.minutes,
        log=Every(cfg.log.every),
        samples=Every(cfg.log.samples_every),
        histograms=Every(cfg.log.histograms_every),
        evaluate=Every(cfg.metrics.every),
        save=Every(cfg.checkpoint.every),
        best=cfg.metrics.best,
        higher_is_better=cfg.metrics.best in better,
        give_up=cfg.trainer.give_up,
        rollbacks=ROLLBACKS if cfg.trainer.on_nonfinite is OnNonfinite.rollback else 0,
    )


def _train_guarded(
    run: Run, begin_run: Callable[[], None], cfg: DictConfig, folder: RunFolder, quiet: bool, at_once: int
) -> Training[dict[str, float]]:
    """The loop, with status.json telling from its beginning how it stands and how it ended, and a verdict."""
    run.at_once = at_once
    try:
        begin_run()
        with run.rounds.ranks.watched(), folder.status.beating():
            figures = yield from loop.train(run)
    except Stopped as stopped:
        folder.status.end("stopped", f"{stopped.name} received")
        _say_what_is_saved(run, folder)
        if stopped.at_once:
            raise
        run.recorder.finish()
        say_verdict(run, run.progress.figures or {}, quiet)
        raise
    except BaseException as error:
        told = "".join(traceback.format_exception(error))
        if isinstance(error, NotFinite):
            advice = nonfinite_advice(run, cfg)
            found = not_finite(run.progress.step, str(error), advice)
            error = NotFinite(f"{error}: {advice}")
            folder.status.end("failed", f"NotFinite: {error}")
            run.watch.add(found)
            say_verdict(run, {}, quiet)
        else:
            error = out_of_memory(error, cfg, at_once) if is_out_of_memory(error) else error
            folder.status.end("failed", f"{type(error).__name__}: {error}")
            say_failure(run, error)
        run.console.note(told)
        raise error from None
    folder.status.end("finished")
    say_verdict(run, figures, quiet)
    return figures


def _say_what_is_saved(run: Run, folder: RunFolder) -> None:
    """Of a run that was stopped: from which step it can go on."""
    words = shlex.quote(f"run={folder}")
    last = folder.checkpoints.last_step()
    if last is None:
        run.console.say(f"nothing was saved yet; begin anew with: gantrain {words}")
    else:
        lost = f", step {run.progress.step:,} is lost" if last < run.progress.step else ""
        run.console.say(f"saved at step {last:,}{lost}; go on with: gantrain {words}")


def _totals(recorder: Recorder) -> dict[str, float]:
    return {tag: value for tag, value in recorder.latest.items() if tag.endswith("/total")}
