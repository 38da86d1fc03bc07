"""`gantrain evaluate`: figures of a trained run, of one checkpoint or of all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrain.commands.assembly import build_learners, build_metrics, config_of, plain
from gantrain.commands.evaluation import best_answers_of, evaluation_of
from gantrain.commands.passes import CountedRealData, PassBar
from gantrain.commands.report import report_run
from gantrain.commands.trained import trained_game
from gantrain.commands.verdict import verdict_lines
from gantrain.config import EvaluateRequest, build, data_folder, plain_config, validate
from gantrain.data import DataContext, Source
from gantrain.errors import UserError
from gantrain.health import Finding, Health, facts_of
from gantrain.metrics import Protocol, evaluate, protocols
from gantrain.ranges import SAMPLES, within
from gantrain.report.console import Console
from gantrain.report.tables import aligned, short
from gantrain.runs import RunFolder, find_checkpoint, load_checkpoint


@dataclass(frozen=True)
class Measured:
    """The figures of one checkpoint by tag, and under what conditions they were measured."""

    step: int
    file: Path
    figures: dict[str, float]
    protocols: dict[str, Protocol]


def evaluate_run(asked: DictConfig, standard: DictConfig, console: Console) -> list[Measured]:
    """Measures checkpoints of a run, prints a table, and keeps the figures beside the run.

    Args:
        standard: the config's group of metrics as it is today, which knows more than that of an older run.

    Raises:
        UserError: no run, no such checkpoint, or a metric that is unknown or cannot judge such data.
    """
    asked = validate(asked, EvaluateRequest)
    if asked.run is None:
        raise UserError("gantrain evaluate needs a run: add run=<its folder or a checkpoint file>")
    try:
        within(SAMPLES, n=asked.n)
    except ValueError as error:
        raise UserError(str(error)) from error
    path = Path(asked.run).expanduser()
    files = _files(path, asked.checkpoint)
    cfg = config_of(load_checkpoint(files[0]), str(files[0]))
    source: Source = build(plain(cfg.dataset), "dataset", Source)
    _choose(cfg, asked, standard, source)
    folder = RunFolder.of(path)
    measured: list[Measured] = []
    lost: Exception | None = None
    for one in _measure(files, cfg, source, asked, console):
        measured.append(one)
        said = {tag: protocol.to_dict() for tag, protocol in one.protocols.items()}
        try:
            if folder.has_config and lost is None:  # at once, for a later one may be interrupted
                folder.evaluations.add(one.step, one.file.name, one.figures, said)
        except (OSError, UserError) as error:
            lost = error
    _tell(measured, folder if lost is None else None, console)
    if lost is not None:
        raise UserError(f"the figures could not be kept in {folder.evaluations.file}: {lost}") from lost
    if folder.has_config:
        if measured[-1].file.name == getattr(folder.checkpoints.last(), "name", None):
            _judge_anew(folder, measured[-1], console)
        report_run(folder, console.say)
    return measured


def _judge_anew(folder: RunFolder, last: Measured, console: Console) -> None:
    """Says whether a run that is over works, by what was just measured of its last checkpoint too, and keeps that."""
    said = folder.status.read()
    if said.status == "running":  # it judges itself at its end
        return
    try:
        health = Health(facts_of(plain(plain_config(folder.read_config(), str(folder)))))
        lines = folder.numbers.read()
        health.replay(lines)
        for kept in said.findings:  # what the lines do not show, such as weights that are no numbers
            health.add(Finding(**kept))
        logged = (line.items() for line in lines if line["step"] == last.step)
        figures = {tag: value for items in logged for tag, value in items if tag.startswith("metrics/")} | last.figures
        figures = {tag: value for tag, value in figures.items() if value is not None and math.isfinite(value)}
        verdict = health.verdict(figures)
    except (UserError, OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        console.say(f"verdict none: what the run logged cannot be read ({type(error).__name__}: {error})")
        return
    folder.status.judge([asdict(found) for found in health.findings], asdict(verdict))
    for line in verdict_lines(verdict, str(folder)):
        console.say(line)


def _files(path: Path, which: str) -> list[Path]:
    """The checkpoints to evaluate, oldest first.

    Raises:
        UserError: there is none.
    """
    if which != "all" or path.is_file():
        return [find_checkpoint(path, which)]
    find_checkpoint(path)
    return RunFolder(path).checkpoints.by_step()


def _choose(cfg: DictConfig, asked: DictConfig, standard: DictConfig, source: Source) -> None:
    """Puts what is to be measured in the place of the run's own metrics."""
    former = {**plain(standard.spaces), **plain(cfg.metrics.spaces)}
    for group in ("known", "spaces"):
        cfg.metrics[group] = OmegaConf.merge(standard[group], cfg.metrics[group], _set(plain(asked[group])))
    spaces = plain(cfg.metrics.spaces)
    for described in cfg.metrics.known.values():  # a complete config holds each metric's space itself
        for name in (name for name, space in former.items() if described.get("space") == space):
            described["space"] = spaces[name]
    cfg.metrics.use = list(asked.metrics) or list(cfg.metrics.use) or source.suited_to(data_folder(cfg))
    cfg.metrics.best = None
    cfg.metrics.n = asked.n or (None if asked.metrics else cfg.metrics.n)
    for described in cfg.metrics.known.values():
        if asked.n is not None and "samples" in described:
            described["samples"] = asked.n
    if asked.data_dir is not None:
        cfg.data_dir = asked.data_dir


def _set(node: Any) -> Any:
    """What is set: null stands for what the run has."""
    return {key: _set(value) for key, value in node.items() if value is not None} if isinstance(node, dict) else node


def _measure(
    files: Sequence[Path], cfg: DictConfig, source: Source, asked: DictConfig, console: Console
) -> Iterator[Measured]:
    """Each checkpoint's figures, as soon as they are there."""
    bar = PassBar(console)
    seed = cfg.seed if asked.seed is None else asked.seed
    at_once = cfg.trainer.batch_size // cfg.trainer.accumulate
    real: CountedRealData | None = None
    for number, file in enumerate(files, 1):
        state = load_checkpoint(file)
        game, machine = trained_game(cfg, state, str(file), asked.ema, asked.device)
        if real is None:
            metrics = build_metrics(cfg, source, game)
            limits = (cfg.trainer.data_budget, cfg.debug.overfit)
            context = DataContext(data_folder(cfg), machine.device, cfg.seed, *limits, say=console.say)
            real = CountedRealData(source, context, bar)
            for metric in metrics.values():
                metric.prepare(real)
        step = state["progress"]["step"]
        what = f"step {step:,}" + (f" ({number} of {len(files)})" if len(files) > 1 else "")
        played = any(metric.needs_value for metric in metrics.values())
        answers = best_answers_of(cfg, game, build_learners(cfg, game), real, machine, step) if played else None
        with_bar = partial(bar.over, what=what)
        evaluation = evaluation_of(game, real, machine, seed, at_once, step, answers, with_bar)
        figures = evaluate(metrics, evaluation)
        said = protocols(metrics, evaluation)
        yield Measured(step, file, figures, {tag: said[tag] for tag in figures if tag in said})
        if len(files) > 1:
            console.say(f"{what}  " + "  ".join(f"{tag.rpartition('/')[2]} {v:.4g}" for tag, v in figures.items()))
    if real is not None:
        real.close()


def _tell(measured: Sequence[Measured], folder: RunFolder | None, console: Console) -> None:
    """A table, a line for each checkpoint, the best figure of a column marked; then how it was measured."""
    best = {}
    for tag, protocol in measured[0].protocols.items():
        values = [one.figures[tag] for one in measured if math.isfinite(one.figures.get(tag, math.nan))]
        if protocol.better and len(measured) > 1 and values:
            best[tag] = (max if protocol.better == "higher" else min)(values)
    rows = [
        {"step": f"{one.step:,}"}
        | {tag.rpartition("/")[2]: short(v) + " *" * (best.get(tag) == v) for tag, v in one.figures.items()}
        for one in measured
    ]
    console.say(aligned(rows, list(rows[0])))
    if best:
        console.say("* the best")
    told: dict[str, list[str]] = {}
    for tag, protocol in measured[0].protocols.items():
        told.setdefault(str(protocol), []).append(tag.rpartition("/")[2])
    for text, names in told.items():
        console.say(f"{', '.join(names)}: {text}")
    if folder and folder.has_config:
        console.say(f"kept in {folder.evaluations.file}")
