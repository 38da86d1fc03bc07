"""Which jobs a sweep has: the words that say so, and whether each of them makes a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import DictConfig

from gantrain.commands.assembly import build_game, build_learners, build_metrics, plain
from gantrain.config import build, check_place, complete, compose, left_to_budget, of_hydra, parse, prepare, validate
from gantrain.errors import Mistyped, UserError
from gantrain.metrics import Metric
from gantrain.report.html.figures import better_of
from gantrain.report.sinks import check_sinks
from gantrain.training.machine import choose_machine

FAILED = 1e9
"""The value of a run that failed, or its negative where more is better."""


@dataclass(frozen=True)
class Objective:
    """What runs are compared by."""

    metric: str | None
    """Its tag; None for the first figure of the last evaluation."""
    direction: str | None = None
    """minimize or maximize; None where nothing is searched."""

    @property
    def worst(self) -> float:
        """The value of a run that failed: none that ended is worse."""
        return {"minimize": FAILED, "maximize": -FAILED}.get(self.direction or "", float("nan"))


def expanded(words: Sequence[str], config_name: str) -> list[str]:
    """The overrides with those that the option of the group `sweep` adds, where the command line has none of the key.

    Raises:
        UserError: the option is no list of overrides, or sets something of Hydra's own.
    """
    parsed = parse(words, config_name)
    if config_name == "train" and not any(o.key_or_group.split(".")[0] == "sweep" for o in parsed):
        return list(words)
    if any(o.key_or_group == "sweep" and o.is_sweep_override() for o in parsed):
        raise UserError("sweep= takes one option: a sweep of sweeps is several commands")
    cfg = compose([str(o.input_line) for o in parsed if not o.is_sweep_override()], config_name)
    over = validate(cfg).sweep.over
    own = {o.key_or_group: word for o, word in zip(parsed, words, strict=True)}
    added: list[str] = []
    for key, values in over.items():
        if not isinstance(values, (str, int, float)) or isinstance(values, bool):
            raise UserError(f"sweep.over.{key} is no text: write its values as on a command line, such as '0,1,2'")
        word = prepare(f"{key}={values}", multirun=True)
        (override,) = parse([word], config_name)
        if of_hydra(override):
            raise UserError(f"sweep.over.{key}: what belongs to Hydra itself is set on the command line only")
        added.append(own.pop(override.key_or_group, word))
    return [*(word for word in words if word in own.values()), *added]


def swept_keys(parsed: Sequence[Override]) -> list[str]:
    """What is swept, in order."""
    return [o.key_or_group for o in parsed if o.is_sweep_override()]


def check(parsed: Sequence[Override], config_name: str) -> tuple[DictConfig, Objective]:
    """The first job's config, and what jobs are compared by, once every value of what is swept makes a config.

    What does not fit together may be one of many combinations, and is that job's failure; not where nothing fits, nor
    where a value is of the wrong type.

    Raises:
        UserError: a value makes no config, or none of them a run.
    """
    named = {override.key_or_group for override in parsed}
    configs = [compose(words, config_name) for words in _each_value_once(parsed)]
    for cfg in configs:
        left_to_budget(validate(cfg).budget, named)
        check_place(cfg)
        if cfg.trainer.replicas > 1:
            raise UserError("a sweep's job trains one seed: leave out trainer.replicas, and sweep over seed=0,1,…")
    refusals: list[UserError] = []
    objectives: list[Objective] = []
    for cfg in configs:
        try:
            objectives.append(_objective_of(cfg))
        except Mistyped:
            raise
        except UserError as error:
            refusals.append(error)
    if not objectives:
        raise refusals[0]
    return configs[0], objectives[0]


def _objective_of(cfg: DictConfig) -> Objective:
    """What a run is compared by, once it is known that the config makes one.

    Raises:
        UserError: it makes none.
    """
    cfg = complete(cfg)
    check_sinks(cfg.log.sinks)
    game = build_game(cfg)
    build_learners(cfg, game)
    metrics = build_metrics(cfg, build(plain(cfg.dataset), "dataset"), game)
    choose_machine(cfg.trainer.device, cfg.trainer.precision.value, game)
    tags = [f"metrics/{key}" for metric in metrics.values() for key in metric.keys]
    named = cfg.sweep.metric or cfg.metrics.best
    named = f"metrics/{named}" if f"metrics/{named}" in tags else named
    if cfg.sweep.trials is None:
        return Objective(named)
    tag = named or next(iter(tags), None)
    if tag is None:
        short = (
            ", and runs of so few steps choose none by themselves"
            if cfg.choices.groups.get("metrics") == "auto"
            else ""
        )
        raise UserError(
            f"nothing is measured by which a search could compare runs{short}: add metrics, such as metrics=modes"
        )
    a_figure = tag.startswith("metrics/") or "/" not in tag
    if a_figure and tag not in tags and all(metric.keys for metric in metrics.values()):
        have = f"the runs measure {', '.join(tags)}" if tags else "the runs measure nothing, add metrics=…"
        raise UserError(f"sweep.metric={tag} is none of the figures of these runs: {have}")
    asked = cfg.sweep.direction
    return Objective(tag, asked.value if asked else _direction(tag, list(metrics.values())))


def _direction(tag: str, metrics: Sequence[Metric]) -> str:
    """Which way a figure is better, as its metric says, else as is known of its name.

    Raises:
        UserError: neither way.
    """
    higher = {f"metrics/{key}" for metric in metrics for key in metric.higher_is_better}
    neither = {f"metrics/{key}" for metric in metrics for key in metric.neither}
    measured = {f"metrics/{key}" for metric in metrics for key in metric.keys}
    better = "higher" if tag in higher else better_of(tag, None) if tag in neither or tag not in measured else "lower"
    if better not in ("lower", "higher"):
        raise UserError(f"nothing says which way {tag} is better: add sweep.direction=minimize or maximize")
    return "minimize" if better == "lower" else "maximize"


def _each_value_once(parsed: Sequence[Override]) -> Iterator[list[str]]:
    """The first job's overrides, then for every other value of what is swept the first job's with that one in place.

    Of an interval those are its ends. Seeds are alike: the first speaks for all.
    """
    fixed = [str(o.input_line) for o in parsed if not o.is_sweep_override()]
    values = [_values(o) for o in parsed if o.is_sweep_override()]
    firsts = [words[0] for words in values]
    yield [*fixed, *firsts]
    for k, words in enumerate(values):
        for word in words[1:]:
            yield [*fixed, *firsts[:k], word, *firsts[k + 1 :]]


def _values(swept: Override) -> list[str]:
    """The overrides that are made of one that is swept."""
    start = str(swept.input_line).partition("=")[0]
    interval = swept.value()
    if isinstance(interval, IntervalSweep):
        return [f"{start}={interval.start}", f"{start}={interval.end}"]
    values = [str(value) for value in swept.sweep_string_iterator()]
    alike = start == "seed" and all(value.isdecimal() for value in values)
    return [f"{start}={value}" for value in (values[:1] if alike else values)]
