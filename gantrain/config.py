"""From words on a command line to one complete, checked config."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, SCMode, open_dict
from omegaconf.errors import OmegaConfBaseException

from gantrain.errors import UserError
from gantrain.help import CONFIGS
from gantrain.overrides import explain, explained
from gantrain.ranges import NOT_NEGATIVE, POSITIVE, within
from gantrain.schema import Config, fit
from gantrain.trust import Loader


def data_folder(cfg: DictConfig) -> Path:
    """Where data sets lie: `data_dir`, else `GANTRAIN_DATA`, else ./data."""
    return Path(cfg.data_dir or os.environ.get("GANTRAIN_DATA") or "data").expanduser()


@contextmanager
def hydra_at(config_dir: str | None = None) -> Iterator[None]:
    """Hydra over gantrain's configs and the user's own folder, whose files go before gantrain's of the same name.

    Raises:
        UserError: there is no such folder.
    """
    folder = None if config_dir is None else Path(config_dir).expanduser().resolve()
    if folder is not None and not folder.is_dir():
        raise UserError(f"--config-dir: there is no folder {folder}")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), job_name="gantrain", version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        hydra.config_loader = Loader(folder)
        yield


def compose(overrides: Sequence[str], config_name: str = "train") -> DictConfig:
    """The config for these overrides, inside `hydra_at`, with `name` filled in.

    Raises:
        UserError: an unknown group, option or key, or words that are no override.
    """
    with explained(overrides, config_name):
        cfg = hydra_compose(config_name, list(overrides), return_hydra_config=True)
        choices = {
            k: v for k, v in cfg.hydra.runtime.choices.items() if isinstance(k, str) and not k.startswith("hydra")
        }
        with open_dict(cfg):
            del cfg["hydra"]
        return named(cfg, choices)


def check_place(cfg: DictConfig) -> None:
    """Whether the run can be written where it belongs.

    Raises:
        UserError: it cannot.
    """
    folder = Path(str(cfg.outputs_dir)).expanduser() / str(cfg.name)
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"runs cannot go to {folder}: {there} is no folder that can be written to, set outputs_dir=…")


def named(cfg: DictConfig, choices: Mapping[str, Any]) -> DictConfig:
    """Fills in the run's name: the experiment's, else <dataset>-<model>-<loss>."""
    if "name" in cfg and cfg.name is None:
        cfg.name = choices.get("experiment") or "-".join(str(choices.get(g)) for g in ("dataset", "model", "loss"))
    return cfg


def validate(cfg: DictConfig, schema: type = Config) -> DictConfig:
    """The config with the fixed groups typed.

    Raises:
        UserError: an unknown key or a wrong type.
    """
    plain = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False, structured_config_mode=SCMode.DICT))
    assert isinstance(plain, DictConfig)
    with explained(()):
        fit(plain, schema)
        typed = OmegaConf.merge(OmegaConf.structured(schema), plain)
    assert isinstance(typed, DictConfig)
    if schema is Config:
        _check_numbers(typed)
    return typed


def _check_numbers(typed: DictConfig) -> None:
    ranges = dict.fromkeys(("trainer.steps", "trainer.minutes", "trainer.accumulate", "checkpoint.keep"), POSITIVE)
    ranges |= dict.fromkeys(("log.every", "log.samples_every", "log.histograms_every", "checkpoint.every"), POSITIVE)
    ranges |= {"metrics.every": POSITIVE, "debug.overfit": POSITIVE, "trainer.data_budget": NOT_NEGATIVE}
    ranges |= {"trainer.batch_size": "(0, 10000000]", "trainer.threads": "(0, 1024]"}
    try:
        for key, interval in ranges.items():
            within(interval, **{key: OmegaConf.select(typed, key)})
    except ValueError as error:
        raise UserError(str(error)) from error
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
        kind = kind_of(dataset, "dataset", Source)
        auto = [str(key) for key, value in dataset.items() if value == "auto"]
        chosen = {key: value for key, value in dataset.items() if value != "auto"}
        build({**chosen, "_partial_": True}, "dataset", Callable[..., Source])  # the others follow from what is chosen
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
