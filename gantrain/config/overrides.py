"""The user's words as Hydra's grammar wants them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from gantrain.config.explaining import explained
from gantrain.errors import UserError
from gantrain.options import is_group

PATH_KEYS = ("run", "runs", "name", "data_dir", "outputs_dir", "init_from", "out", "input", "text")
PATH_FORM = re.compile(r"dataset\.path(_a|_b)?|(metrics\.)?spaces\.\w+\.weights")
"""Keys whose values are people's own words, which may hold signs that Hydra's grammar gives a meaning."""


def prepare(word: str, multirun: bool = False) -> str:
    """An override as Hydra's grammar wants it.

    Values of path keys are quoted; `a.b=word` becomes `a/b=word` where that is a group (`optimizer.schedule=cosine`),
    and `networks=word` becomes `networks@model=word`.

    Raises:
        UserError: a path key has no value.
    """
    key, equals, value = word.partition("=")
    name = key.lstrip("+~")
    if equals and (name in PATH_KEYS or PATH_FORM.fullmatch(name)):
        if not unquote(value).strip():  # run=$UNSET
            raise UserError(f"{word} names nothing: write a value behind it, or leave it out")
        if value == "null" or unquote(value) != value:
            return word
        parts = value.split(",") if multirun and not Path(value).expanduser().exists() else [value]
        return f"{key}={','.join(quoted(part) for part in parts)}"
    if name == "networks":  # the group stands inside the model
        return f"{key}@model{equals}{value}"
    if equals and "." in name and re.fullmatch(r"\w+", value) and is_group(name.replace(".", "/")):
        return f"{key.replace('.', '/')}={value}"
    return word


def value_of(key: str, overrides: Sequence[str]) -> tuple[str | None, list[str]]:
    """The value of a key as the user wrote it, and the other overrides."""
    found = [word for word in overrides if word.partition("=")[0] == key]
    if not found:
        return None, list(overrides)
    value = unquote(found[-1].partition("=")[2])
    return (None if value == "null" else value), [word for word in overrides if word not in found]


def quoted(value: str) -> str:
    """A value between quotes, for Hydra's grammar."""
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", re.sub(r"(\\+)$", r"\1\1", value)) + "'"


def unquote(value: str) -> str:
    """A value as it was before it was quoted for Hydra's grammar."""
    if len(value) < 2 or value[0] not in "'\"" or value[-1] != value[0]:
        return value
    return re.sub(rf"(\\+)(?={value[0]}|$)", lambda found: found.group(1)[: len(found.group(1)) // 2], value[1:-1])


def parse(words: Sequence[str], config_name: str = "train") -> list[Override]:
    """The overrides as Hydra reads them.

    Raises:
        UserError: a word is no override.
    """
    hydra = GlobalHydra.instance().hydra
    with explained(words, config_name):
        return OverridesParser.create(hydra.config_loader if hydra else None).parse_overrides(list(words))
