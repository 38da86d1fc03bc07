"""The only place where a `_target_` becomes an object."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any

from typeguard import TypeCheckError, check_type

from gantrain.errors import UserError
from gantrain.overrides import nearest

# Configs and checkpoints may come from strangers, so a `_target_` is not simply imported: it may name a class of
# gantrain, one of these, or one of a package that the user trusts by name.
ADMITTED = frozenset(
    f"torch.optim.{name}"
    for name in ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")
)


def trusted() -> list[str]:
    """Packages whose classes a config may name: GANTRAIN_TRUST, split at commas. Set by --trust too."""
    return [name for name in os.environ.get("GANTRAIN_TRUST", "").split(",") if name]


def locate(target: Any, path: str) -> Any:
    """The class that a `_target_` names.

    Raises:
        UserError: it is not to be trusted, not there, or no class.
    """
    if not isinstance(target, str):
        raise UserError(f"{path}._target_ must name a class, got {target!r}")
    package = target.partition(".")[0]
    own = package == "gantrain"
    if not own and target not in ADMITTED and package not in trusted():
        raise UserError(
            f"{path}._target_={target} is not a class of gantrain: if you trust the package, add --trust={package} "
            f"or set GANTRAIN_TRUST={package}"
        )
    if package in trusted() and "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a console script does not look into the current folder by itself
    module_name, _, name = target.rpartition(".")
    if not module_name:
        raise UserError(f"{path}._target_={target} names no class: write package.Class")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UserError(f"{path}._target_={target}: {error}") from error
    found = getattr(module, name, None)
    if found is None:
        raise UserError(f"{path}._target_={target} does not exist{nearest(name, dir(module))}")
    home = getattr(found, "__module__", "").partition(".")[0]  # where it was made, not where it was imported
    if not inspect.isclass(found) or home not in ("gantrain", "torch", *trusted()) or (own and home != "gantrain"):
        raise UserError(f"{path}._target_={target} is no class that a config may build")
    return found


def build(node: Any, path: str, **given: Any) -> Any:
    """The object that a config describes, its parts first; `given` are arguments that no config can hold.

    With `_partial_: true` (Hydra's word) it is a function that makes the object from the arguments still missing.

    Raises:
        UserError: an unknown or missing argument, a value of the wrong type, or one that the class refuses.
    """
    if isinstance(node, Mapping) and "_target_" in node:
        target = locate(node["_target_"], path)
        arguments = {k: build(v, f"{path}.{k}") for k, v in node.items() if k not in ("_target_", "_partial_")}
        partial = node.get("_partial_") is True
        _check(target, path, arguments, given, partial)
        if partial:
            return functools.partial(target, **arguments, **given)
        try:
            return target(**arguments, **given)
        except UserError:
            raise
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}: {error}") from error
    if isinstance(node, Mapping):
        return {k: build(v, f"{path}.{k}") for k, v in node.items()}
    if isinstance(node, list):
        return [build(v, f"{path}.{k}") for k, v in enumerate(node)]
    return node


def _check(target: type, path: str, arguments: Mapping[str, Any], given: Mapping[str, Any], partial: bool) -> None:
    parameters = inspect.signature(target).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = [name for name in parameters if name not in given]
    for name in arguments:
        if name not in parameters and not takes_any:
            raise UserError(
                f"{path}.{name} is no setting of {target.__name__}{nearest(name, known)} ({', '.join(known)})"
            )
    missing = [
        name
        for name, p in parameters.items()
        if p.default is p.empty
        and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        and name not in {**arguments, **given}
    ]
    if missing and not partial:
        raise UserError(f"{path}.{missing[0]} is missing: {target.__name__} needs it")
    try:
        hints = typing.get_type_hints(vars(target).get("__init__", target))
    except Exception:  # a user's own class may have annotations that do not resolve
        return
    for name, value in arguments.items():
        hint = hints.get(name)
        if hint is None or not target.__module__.startswith("gantrain"):
            if isinstance(value, str) and isinstance(parameters[name].default, (int, float)):
                raise UserError(f"{path}.{name}={value!r} should be a number")
            continue
        try:
            check_type(value, hint)
        except TypeCheckError as error:
            raise UserError(f"{path}.{name}={value!r} should be {_words(hint)}") from error


def _words(hint: Any) -> str:
    """A type as people say it."""
    kind, inner = typing.get_origin(hint), typing.get_args(hint)
    if kind is typing.Literal:
        return "one of " + ", ".join(str(choice) for choice in inner)
    if kind is types.UnionType and types.NoneType in inner and len(inner) == 2:
        return _words(next(part for part in inner if part is not types.NoneType)) + ", or null"
    if kind is list and typing.get_origin(inner[0]) is typing.Literal:
        return "a list of " + ", ".join(str(choice) for choice in typing.get_args(inner[0]))
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}.get(hint, str(hint))
