"""A config fitted to the types of the fixed groups."""

from __future__ import annotations

import math
import types
import typing
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, SCMode

from gantrain.config.explaining import explained
from gantrain.config.schema import Config
from gantrain.config.words import nearest
from gantrain.errors import UserError
from gantrain.ranges import COUNT, NOT_NEGATIVE, POSITIVE, SAMPLES, within


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


def requested(cfg: DictConfig, schema: type) -> tuple[DictConfig, DictConfig]:
    """What a command is asked for, typed, and the config of a run beside it.

    Raises:
        UserError: a wrong type.
    """
    own = {field.name for field in fields(schema)}
    asked = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key in own])
    return validate(asked, schema), OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in own])


def _check_numbers(typed: DictConfig) -> None:
    ranges = dict.fromkeys(("trainer.steps", "trainer.minutes", "trainer.accumulate", "checkpoint.keep"), POSITIVE)
    ranges |= dict.fromkeys(("log.every", "log.samples_every", "log.histograms_every", "checkpoint.every"), POSITIVE)
    ranges |= {
        "metrics.every": POSITIVE,
        "metrics.n": SAMPLES,
        "debug.overfit": POSITIVE,
        "trainer.data_budget": NOT_NEGATIVE,
    }
    ranges |= {"sweep.trials": COUNT, "trainer.give_up": "(0, 1)", "trainer.replicas": "[1, 1000]"}
    ranges |= {"trainer.batch_size": "(0, 10000000]", "trainer.threads": "(0, 1024]"}
    try:
        for key, interval in ranges.items():
            within(interval, **{key: OmegaConf.select(typed, key)})
    except ValueError as error:
        raise UserError(str(error)) from error
    if not isinstance(typed.trainer.reuse_fakes, bool) and typed.trainer.reuse_fakes != "auto":
        raise UserError(f"trainer.reuse_fakes should be true, false or auto, got {typed.trainer.reuse_fakes}")
    if not typed.metrics.known:
        raise UserError("metrics.known is empty, which holds all that metrics.use may name: leave it as it is")
    if typed.trainer.batch_size % typed.trainer.accumulate:
        raise UserError(
            f"trainer.batch_size={typed.trainer.batch_size} cannot be played in trainer.accumulate="
            f"{typed.trainer.accumulate} equal parts: make one a multiple of the other"
        )


def fit(node: DictConfig, schema: type, path: str = "") -> None:
    """Makes the values of a config those of a schema, in place, where they mean the same: 1e4 is a whole number.

    Raises:
        UserError: an unknown key, or a value that is not of its type.
    """
    hints = typing.get_type_hints(schema)
    for key in map(str, list(node)):
        if key not in hints:
            raise UserError(f"{path}{key} is no setting{nearest(f'{path}{key}', [f'{path}{name}' for name in hints])}")
        kind = _required(hints[key])
        value = node[key]
        if value is None and kind is not hints[key]:
            continue
        if is_dataclass(kind):
            if not isinstance(value, DictConfig):
                inside = ", ".join(f"{path}{key}.{name}" for name in typing.get_type_hints(kind))
                raise UserError(f"{path}{key}={said(value)} sets nothing: {path}{key} holds {inside}")
            fit(value, typing.cast(type, kind), f"{path}{key}.")
        elif kind is not Any and not (OmegaConf.is_interpolation(node, key) and value is None):  # not yet known
            fitted = _fitted(value, kind, f"{path}{key}")
            if not OmegaConf.is_interpolation(node, key):
                node[key] = fitted


def _required(hint: Any) -> Any:
    """A type without its null."""
    if isinstance(hint, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not types.NoneType)
    return hint


def _fitted(value: Any, kind: Any, key: str) -> Any:
    """A value as its type wants it.

    Raises:
        UserError: it is of another type.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int and number and value == int(value):
        return int(value)
    if kind is float and number:
        return float(value)
    if kind is str and (isinstance(value, str) or number):
        return str(value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind == list[str] and isinstance(value, ListConfig):
        return [str(item) for item in value]
    if kind == dict[str, Any] and isinstance(value, DictConfig):
        return value
    choices = list(kind.__members__) if isinstance(kind, type) and issubclass(kind, Enum) else []
    if choices and (isinstance(value, kind) or value in choices):
        return value if isinstance(value, kind) else kind[value]
    wanted = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}
    lists = f"a list: '{key}=[…]'" if kind == list[str] else f"a group of settings, such as {key}.…=…"
    raise UserError(
        f"{key}={said(value)} should be " + ("one of " + ", ".join(choices) if choices else wanted.get(kind, lists))
    )


def said(value: Any) -> str:
    """A value as the user typed it, more or less."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(OmegaConf.to_container(value) if OmegaConf.is_config(value) else value).replace("'", "")
