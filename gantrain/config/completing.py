"""What follows from what was chosen: facts of the dataset, and settings left at `auto`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gantrain.config.admitting import locate
from gantrain.config.building import build, kind_of
from gantrain.config.explaining import explain
from gantrain.config.few import augment_few
from gantrain.config.naming import metric_named
from gantrain.config.places import data_folder
from gantrain.config.validating import validate
from gantrain.errors import UserError

SOURCE, TRICK, METRIC = "gantrain.data.Source", "gantrain.tricks.Trick", "gantrain.metrics.Metric"
"""What the groups dataset, tricks and metrics hold, named as a `_target_` names a class: loading them loads torch."""


MANY = 10
"""Evaluations in a run whose metrics are chosen automatically, at most."""
FEWEST = 1000
"""Samples that may be judged in such a run: where there are fewer, nothing is measured."""


def complete(cfg: DictConfig, say: Callable[[str], None] = lambda text: None) -> DictConfig:
    """Everything that follows from other choices filled in: facts of the dataset, then settings left at `auto`.

    Inside `hydra_at`, whose options it may choose from.

    Args:
        say: is told what followed from the user's own pictures.

    Raises:
        UserError: a setting is unknown, of the wrong type, or cannot be worked out.
    """
    cfg = validate(cfg)
    _check_chosen(cfg)
    try:
        source = _complete_dataset(cfg, say)
        cfg.data.shape, cfg.data.classes = list(source.shape), source.classes
        cfg.data.other_shape = source.other_shape and list(source.other_shape)
        cfg.data.input_shape = source.input_shape and list(source.input_shape)
        cfg.data.alphabet, cfg.data.caption_length = source.alphabet, source.caption_length
        augment_few(cfg, source, say)
        if cfg.metrics.use is None:
            _plan_metrics(cfg, source)
        for group in ("model", "loss", "tricks"):
            _fill_in(cfg[group], group, list(source.shape), bool(cfg.loss.get("per_sample", False)))
        cfg.data.shown = list(source.shape)
        tricks: Any = Mapping[str, locate(TRICK, "tricks")]  # type: ignore[misc]
        for trick in build(OmegaConf.to_container(cfg.tricks, resolve=True), "tricks", tricks).values():
            cfg.data.shown = trick.packed_shape(list(cfg.data.shown))
        OmegaConf.resolve(cfg)
        for group in ("model", "tricks"):
            _check_facts(OmegaConf.to_container(cfg[group]), group, cfg.data)
    except OmegaConfBaseException as error:
        raise UserError(explain(error, ())) from error
    return cfg


def _check_chosen(cfg: DictConfig) -> None:
    """Whether every group holds something, and no fact of the dataset was chosen."""
    for group in ("dataset", "model", "loss", "optimizer"):
        if not isinstance(cfg[group], DictConfig) or (group in ("dataset", "model") and "_target_" not in cfg[group]):
            raise UserError(f"no {group} is chosen: add {group}=… (gantrain --help lists them)")
    for fact in (fact for fact in cfg.data if cfg.data[fact] is not None):
        raise UserError(f"data.{fact} follows from the dataset: leave it out")


def _complete_dataset(cfg: DictConfig, say: Callable[[str], None]) -> Any:
    """The source, once its own settings left at `auto` are filled in, those of its parts too."""
    role: Any = locate(SOURCE, "dataset")
    dataset = OmegaConf.to_container(cfg.dataset, resolve=True)
    assert isinstance(dataset, dict)
    kind, auto = kind_of(dataset, "dataset", role), list(_left_open(dataset))
    build({**_without_auto(dataset), "_partial_": True}, "dataset", Callable[..., role])  # others follow from these
    for key in auto:
        value = _automatic(kind, f"dataset.{key}", key, dataset, data_folder(cfg))
        OmegaConf.update(cfg.dataset, key, value)
    reasons = [reason for key in auto if (reason := kind.reason(key, dataset))]
    if reasons:
        say(f"data: {', '.join(reasons)}")
    return build(OmegaConf.to_container(cfg.dataset, resolve=True), "dataset", role)


def _left_open(node: Mapping[Any, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys whose values are `auto`."""
    for key, value in node.items():
        if value == "auto":
            yield f"{prefix}{key}"
        elif isinstance(value, Mapping):
            yield from _left_open(value, f"{prefix}{key}.")


def _without_auto(node: Mapping[Any, Any]) -> dict[Any, Any]:
    """A tree without the values that are `auto`."""
    return {
        key: _without_auto(value) if isinstance(value, Mapping) else value
        for key, value in node.items()
        if value != "auto"
    }


def _plan_metrics(cfg: DictConfig, source: Any) -> None:
    """What to measure, how often and on how many samples, where no metric was named.

    To judge a sample costs about as much as to train on one or two, in small networks, and less in large ones: over the
    whole run one is judged for thirty that are trained on, which keeps the cost near a twentieth of the run or below.
    How many an evaluation judges follows from the data alone, so that runs of unlike length are measured alike. A run
    too short for two evaluations has one at its end, and a very short one has none.
    """
    metrics = cfg.metrics
    judged = cfg.trainer.steps * cfg.trainer.batch_size // 30
    metrics.use = source.suited_to(data_folder(cfg)) if judged >= FEWEST else []
    if not metrics.use:
        return
    metrics.n = metrics.n or source.suited_samples
    metrics.best = metrics.best or source.followed or _followed(metrics)
    if metrics.every is None and judged >= 2 * metrics.n:
        metrics.every = -(-cfg.trainer.steps // min(judged // metrics.n, MANY))  # the last one is the end's


def _followed(metrics: DictConfig) -> str | None:
    """The tag of the first figure of the first metric; None where that one is unknown, which is refused later."""
    described = metric_named(metrics.use[0], metrics)
    if described is None:
        return None
    metric: Any = build(described, f"metrics.known.{metrics.use[0]}", locate(METRIC, "metrics"))
    return f"metrics/{metric.keys[0]}" if metric.keys else None


def _check_facts(node: Any, path: str, facts: Mapping[str, Any]) -> None:
    """Whether networks and games of gantrain's own are told what the dataset is."""
    for key, value in node.items() if isinstance(node, dict) else ():
        right = {"shape": (facts["shape"], facts["shown"]), "classes": (facts["classes"],)}.get(key)
        kind = str(node.get("_target_", ""))
        told = kind.startswith("gantrain.") and not kind.startswith("gantrain.schedules.")  # a ramp has a shape too
        if right is not None and value not in right and told:
            raise UserError(f"{path}.{key}={value} is not the dataset's, {right[-1]}: leave it out")
        _check_facts(value, f"{path}.{key}", facts)


def _automatic(kind: Any, path: str, *question: Any) -> Any:
    """What a class makes of a setting left at `auto`."""
    try:
        return kind.auto(*question)
    except UserError:
        raise
    except (ValueError, AttributeError) as error:  # a class without automatic settings has no `auto`
        raise UserError(f"{path} has no automatic value: set one") from error


def _fill_in(node: Any, path: str, shape: list[int], per_sample: bool) -> None:
    for key in list(node) if isinstance(node, DictConfig) else ():
        if OmegaConf.is_interpolation(node, key):
            continue
        if node[key] == "auto" and "_target_" in node:
            kind = locate(node["_target_"], path)
            node[key] = _automatic(kind, f"{path}.{key}", key, shape, per_sample)
        else:
            _fill_in(node[key], f"{path}.{key}", shape, per_sample)
