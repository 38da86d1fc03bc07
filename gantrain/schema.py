"""The types of the fixed groups, and a config fitted to them."""

from __future__ import annotations

import math
import types
import typing
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from gantrain.errors import UserError
from gantrain.overrides import nearest


class Precision(Enum):
    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class Execution(Enum):
    auto = "auto"
    eager = "eager"


class OnNonfinite(Enum):
    stop = "stop"
    skip = "skip"
    rollback = "rollback"


@dataclass
class Trainer:
    steps: int = 1000
    """Rounds of turns."""
    minutes: float | None = None
    """Stop by the clock after this long; null for no limit."""
    batch_size: int = 64
    """Samples per turn."""
    accumulate: int = 1
    """Parts in which a batch is played, for memory: gradients add up over them."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Precision = Precision.auto
    """auto, fp32 or bf16. auto: bf16 for convolutions on processors made for it, else fp32."""
    execution: Execution = Execution.auto
    """How a turn runs."""
    data_budget: int | None = None
    """Bytes of data that may lie on the device; null for half of its free memory. Larger sets are read ahead."""
    on_nonfinite: OnNonfinite = OnNonfinite.stop
    """Where losses, gradients or weights are no numbers. stop: the run ends, and its last checkpoint is good.
    skip: a turn whose gradients are not finite is not made, 19 in a row at most; losses logged over one are null.
    rollback: back to the last good checkpoint, five times at most, from where other samples and numbers are drawn."""
    threads: int | None = None
    """Threads of the CPU; null is one without convolutions, else PyTorch's choice."""


@dataclass
class Log:
    every: int = 50
    samples_every: int = 500
    histograms_every: int | None = None


@dataclass
class Checkpoint:
    every: int = 1000
    keep: int = 3


@dataclass
class Metrics:
    every: int | None = None
    """Steps between evaluations; null evaluates at the end only."""
    best: str | None = None
    """The tag by which checkpoints/best.pt is chosen, such as metrics/fid."""
    use: list[str] = field(default_factory=list)
    """Names from `known`."""
    known: dict[str, Any] = field(default_factory=dict)


@dataclass
class Debug:
    dry: bool = False
    overfit: int | None = None


@dataclass
class Data:
    """Facts of the dataset that networks need; filled in, never chosen."""

    shape: Any = None
    shown: Any = None
    classes: int | None = None


@dataclass
class Config:
    """Everything a run follows from. The open groups (model, loss, tricks, dataset, optimizer) hold `_target_`s."""

    seed: int = 0
    name: str | None = None
    run: str | None = None
    init_from: str | None = None
    data_dir: str | None = None
    outputs_dir: str = "outputs"
    trainer: Trainer = field(default_factory=Trainer)
    log: Log = field(default_factory=Log)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    metrics: Metrics = field(default_factory=Metrics)
    debug: Debug = field(default_factory=Debug)
    data: Data = field(default_factory=Data)
    optimizer: Any = None
    model: Any = None
    loss: Any = None
    tricks: dict[str, Any] = field(default_factory=dict)
    dataset: Any = None


@dataclass
class SampleRequest:
    """What `gantrain sample` is asked for."""

    run: str | None = None
    n: int = 64
    seed: int = 0
    format: str = "png"
    out: str | None = None
    checkpoint: str = "last"
    input: str | None = None
    ema: bool = True
    device: str = "auto"


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
