"""From words on a command line to one complete, checked config."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from gantrain.errors import UserError
from gantrain.help import CONFIGS
from gantrain.schema import Config


def data_folder(cfg: DictConfig) -> Path:
    """Where data sets lie: `data_dir`, else `GANTRAIN_DATA`, else ./data."""
    return Path(cfg.data_dir or os.environ.get("GANTRAIN_DATA") or "data").expanduser()


def unquote(value: str) -> str:
    """A value as it was before it was quoted for Hydra's grammar."""
    if len(value) < 2 or value[0] not in "'\"" or value[-1] != value[0]:
        return value
    return re.sub(rf"(\\+)(?={value[0]}|$)", lambda found: found.group(1)[: len(found.group(1)) // 2], value[1:-1])


def nearest(word: str, known: Sequence[str]) -> str:
    """' (did you mean …?)' for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f", did you mean {close[0]}?" if close else ""


@contextmanager
def hydra_at(config_dir: str | None = None) -> Iterator[list[str]]:
    """Hydra over gantrain's configs; yields the overrides that add the user's own folder.

    Raises:
        UserError: there is no such folder.
    """
    extra = []
    if config_dir is not None:
        folder = Path(config_dir).expanduser().resolve()
        if not folder.is_dir():
            raise UserError(f"--config-dir: there is no folder {folder}")
        extra = [f"hydra.searchpath=['file://{folder}']"]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), job_name="gantrain", version_base="1.3"):
        yield extra


def compose(overrides: Sequence[str], config_name: str = "train") -> DictConfig:
    """The config for these overrides, inside `hydra_at`, with `name` filled in.

    Raises:
        UserError: an unknown group, option or key, or words that are no override.
    """
    try:
        cfg = hydra_compose(config_name, list(overrides), return_hydra_config=True)
        choices = {
            k: v for k, v in cfg.hydra.runtime.choices.items() if isinstance(k, str) and not k.startswith("hydra")
        }
        with open_dict(cfg):
            del cfg["hydra"]
        return named(cfg, choices)
    except (HydraException, OmegaConfBaseException, ValueError) as error:  # Hydra says some things by a ValueError
        raise UserError(explain(error, overrides, config_name)) from error


def named(cfg: DictConfig, choices: Mapping[str, Any]) -> DictConfig:
    """Fills in the run's name: the experiment's, else <dataset>-<model>-<loss>."""
    if "name" in cfg and cfg.name is None:
        cfg.name = choices.get("experiment") or "-".join(str(choices.get(g)) for g in ("dataset", "model", "loss"))
    return cfg


def explain(error: Exception, overrides: Sequence[str], config_name: str = "train") -> str:
    """One sentence for what Hydra or OmegaConf has to say about the user's words."""
    text = str(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override} cannot be read as group=option or key=value: quote values that hold signs, key='…'"
    if "Config group override must be" in text:
        return "null is no option of a group: choose one, such as dataset=digits (gantrain --help lists them)"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        options = sorted({*(error.options or []), *(file.stem for file in (CONFIGS / group).glob("*.yaml"))})
        if not group:
            return f"there is no config {option}.yaml"
        return f"{group}={option} does not exist{nearest(option, options)} (one of: {', '.join(options)})"
    if found := re.search(r"Could not (?:override|append|delete)[^']*'([^']+)'", text):
        key = found.group(1).lstrip("+~").split("@")[0].split("=")[0]
        group, _, rest = key.partition(".")
        option = rest.partition(".")[0]
        if "Could not append" in text:
            return f"{key} is there already: leave out the +"
        if group == "tricks" and option and (CONFIGS / group / f"{option}.yaml").is_file():
            return f"{key}: {option} is not among the run's tricks: name it too, such as 'tricks=[ema,{option}]'"
        if "Could not delete" in text and (CONFIGS / key).is_dir():
            none = "'tricks=[]' is none" if key == "tricks" else "gantrain --help lists them"
            return f"the group {key} cannot be taken away: choose one of its options ({none})"
        return f"{key} is no setting{nearest_key(key, overrides, config_name)}"
    if found := re.search(r"full_key: (\S+)", text):
        key = found.group(1)
        if "not in" in text:
            return f"{key} is no setting{nearest_key(key, overrides, config_name)}"
        return f"{key}: {text.splitlines()[0]}"
    return " ".join(text.split("\nSee https")[0].split())


def nearest_key(key: str, overrides: Sequence[str], config_name: str) -> str:
    """The nearest key that the config would have without the override that is wrong."""
    kept = [
        o for o in overrides if o.startswith("hydra.") or ("." not in o.split("=")[0] and not o.startswith((key, "+")))
    ]
    known: list[str] = []
    for attempt in (kept, []):
        try:
            known = list(_keys(hydra_compose(config_name, attempt)))
            break
        except (HydraException, OmegaConfBaseException):
            continue
    groups = [str(p.relative_to(CONFIGS)) for p in CONFIGS.rglob("*") if p.is_dir()]
    siblings = [k for k in known if k.rpartition(".")[0] == key.rpartition(".")[0]]
    return nearest(key, siblings) or nearest(key, [*known, *groups])


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    for key in [str(key) for key in node] if isinstance(node, DictConfig) else ():
        yield f"{prefix}{key}"
        if not OmegaConf.is_interpolation(node, key) and not OmegaConf.is_missing(node, key):
            yield from _keys(node[key], f"{prefix}{key}.")


def validate(cfg: DictConfig, schema: type = Config) -> DictConfig:
    """The config with the fixed groups typed.

    Raises:
        UserError: an unknown key or a wrong type.
    """
    try:
        typed = OmegaConf.merge(OmegaConf.structured(schema), cfg)
    except OmegaConfBaseException as error:
        found = re.search(r"full_key: (\S+)", str(error))
        key = found.group(1) if found else ""
        if found and "not in" in str(error):
            inside = OmegaConf.select(OmegaConf.structured(Config), key.rpartition(".")[0]) or OmegaConf.structured(
                Config
            )
            near = nearest(key.rpartition(".")[2], list(map(str, inside)))
            raise UserError(f"{key} is no setting{near}") from error
        raise UserError(f"{key}: {str(error).splitlines()[0]}") from error
    assert isinstance(typed, DictConfig)
    if schema is Config:
        _check_numbers(typed)
    return typed


def _check_numbers(typed: DictConfig) -> None:
    positive = ["trainer.steps", "trainer.minutes", "trainer.batch_size", "trainer.accumulate", "trainer.threads"]
    positive += ["log.every", "log.samples_every", "log.histograms_every", "checkpoint.every", "checkpoint.keep"]
    positive += ["metrics.every", "debug.overfit"]
    for key in positive:
        value = OmegaConf.select(typed, key)
        if value is not None and value <= 0:
            raise UserError(f"{key} must be positive, got {value}")
    if typed.trainer.batch_size % typed.trainer.accumulate:
        raise UserError(
            f"trainer.batch_size={typed.trainer.batch_size} cannot be played in trainer.accumulate="
            f"{typed.trainer.accumulate} equal parts: make one a multiple of the other"
        )


def complete(cfg: DictConfig) -> DictConfig:
    """Everything that follows from other choices filled in: facts of the dataset, then settings left at `auto`.

    Raises:
        UserError: a setting is unknown, of the wrong type, or cannot be worked out.
    """
    from gantrain.building import build, kind_of
    from gantrain.data import Source
    from gantrain.tricks import Trick

    cfg = validate(cfg)
    for group in ("dataset", "model", "loss", "optimizer"):
        if not isinstance(cfg[group], DictConfig) or (group in ("dataset", "model") and "_target_" not in cfg[group]):
            raise UserError(f"no {group} is chosen: add {group}=… (gantrain --help lists them)")
    for fact in (fact for fact in cfg.data if cfg.data[fact] is not None):
        raise UserError(f"data.{fact} follows from the dataset: leave it out")
    try:
        dataset = OmegaConf.to_container(cfg.dataset, resolve=True)
        assert isinstance(dataset, dict)
        kind, auto = (
            kind_of(dataset, "dataset", Source),
            [str(key) for key, value in dataset.items() if value == "auto"],
        )
        chosen = {key: value for key, value in dataset.items() if value != "auto"}
        build(
            {**chosen, "_partial_": True}, "dataset", Callable[..., Source]
        )  # what others follow from is checked first
        for key in auto:
            cfg.dataset[key] = dataset[key] = _automatic(kind, f"dataset.{key}", key, dataset, data_folder(cfg))
        source = build(dataset, "dataset", Source)
        cfg.data.shape, cfg.data.classes = list(source.shape), source.classes
        for group in ("model", "loss", "tricks"):
            _fill_in(cfg[group], group, list(source.shape), bool(cfg.loss.get("per_sample", False)))
        cfg.data.shown = list(source.shape)
        for trick in build(OmegaConf.to_container(cfg.tricks, resolve=True), "tricks", Mapping[str, Trick]).values():
            cfg.data.shown = trick.shown_shape(list(cfg.data.shown))
        OmegaConf.resolve(cfg)
        _check_facts(OmegaConf.to_container(cfg.model), "model", cfg.data)
    except OmegaConfBaseException as error:
        raise UserError(explain(error, ())) from error
    return cfg


def _check_facts(node: Any, path: str, facts: Mapping[str, Any]) -> None:
    """Whether networks and games of gantrain's own are told what the dataset is."""
    for key, value in node.items() if isinstance(node, dict) else ():
        right = {"shape": (facts["shape"], facts["shown"]), "classes": (facts["classes"],)}.get(key)
        if right is not None and value not in right and str(node.get("_target_", "")).startswith("gantrain."):
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
    from gantrain.building import locate

    for key in list(node) if isinstance(node, DictConfig) else ():
        if OmegaConf.is_interpolation(node, key):
            continue
        if node[key] == "auto" and "_target_" in node:
            kind = locate(node["_target_"], path)
            node[key] = _automatic(kind, f"{path}.{key}", key, shape, per_sample)
        else:
            _fill_in(node[key], f"{path}.{key}", shape, per_sample)
