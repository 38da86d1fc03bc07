"""The only place where a `_target_` becomes an object."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Mapping
from types import NoneType
from typing import Any, get_origin

from gantrain.config.admitting import locate
from gantrain.config.checking import check_role, misfit, parts_of, scalar
from gantrain.config.hints import alternatives, hints_of, in_words
from gantrain.config.words import nearest
from gantrain.errors import Mistyped, UserError
from gantrain.ranges import NOT_NEGATIVE, SHARE, within

NAMELESS = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
OPTIMIZER_RANGES = {"alpha": SHARE, "rho": SHARE, "dampening": SHARE, "betas": "[0, 1)", "momentum": "[0, 1)"}
"""Of PyTorch's settings, which it does not look at closely; all others are 0 or more."""


def build(node: Any, path: str, hint: Any = Any, **given: Any) -> Any:
    """The object that a config describes, its parts first; `given` are arguments that no config can hold.

    With `_partial_: true` (Hydra's word) it is a function that makes the object from the arguments still missing.

    Args:
        hint: what belongs there, as a type: a class, a `Callable` that makes one, a mapping or list of such.

    Raises:
        UserError: an unknown or missing argument, a value of the wrong type, an object of the wrong class, or a value
            that the class refuses.
    """
    if isinstance(node, Mapping) and "_target_" in node:
        target, partial = kind_of(node, path, hint), node.get("_partial_") is True
        settings = {key: value for key, value in node.items() if key not in ("_target_", "_partial_")}
        hints = _check_names(target, path, settings, given, partial)
        arguments = {key: build(value, f"{path}.{key}", hints.get(key, Any)) for key, value in settings.items()}
        maker = functools.partial(_make, target, path, {**arguments, **given})
        return maker if partial else maker()
    if isinstance(node, Mapping):
        parts = parts_of(node, hint, path)
        return {key: build(_there(node[key], inner, place), place, inner) for key, inner, place in parts}
    if isinstance(node, list):
        items = [build(node[key], place, inner) for key, inner, place in parts_of(node, hint, path)]
        return tuple(items) if any(get_origin(member) is tuple for member in alternatives(hint)) else items
    return scalar(node, hint, path)


def kind_of(node: Any, path: str, hint: Any) -> Any:
    """The class that a config names for a place where the hint says what belongs.

    Raises:
        UserError: it names none, or one of another kind.
    """
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise Mistyped(misfit(node, hint, path))
    target = locate(node["_target_"], path)
    if not isinstance(node.get("_partial_", False), bool):
        raise UserError(f"{path}._partial_ should be true or false, got {node['_partial_']!r}")
    check_role(target, node["_target_"], node.get("_partial_", False), hint, path)
    return target


def _there(value: Any, hint: Any, path: str) -> Any:
    """An entry of a mapping, which is not taken away by `null`."""
    if value is None and not {Any, NoneType} & {*alternatives(hint)}:
        raise Mistyped(f"{path}=null should be {in_words(hint)}: to take it away, write ~{path}")
    return value


def _make(target: type, path: str, arguments: Mapping[str, Any], /, *more: Any, **rest: Any) -> Any:
    """The object, or one sentence for what its class has to say against its arguments."""
    try:
        if target.__module__.startswith("torch.optim"):
            for name, value in arguments.items():
                if name != "params":
                    within(OPTIMIZER_RANGES.get(name, NOT_NEGATIVE), **{name: value})
        return target(*more, **{**arguments, **rest})
    except UserError:
        raise
    except (ValueError, TypeError, RuntimeError, ArithmeticError, MemoryError) as error:  # torch has words of all kinds
        said = " ".join(str(error).split())
        if isinstance(error, MemoryError) or "tried to allocate" in said or "Storage size" in said:
            said = "its layers ask for more memory than there is: choose smaller widths"
        joint = "." if re.split(r"\W", said, maxsplit=1)[0] in {*arguments, *rest} else ": "  # it begins with a setting
        raise UserError(f"{path}{joint}{said}") from error


def _check_names(
    target: type, path: str, settings: Mapping[str, Any], given: Mapping[str, Any], partial: bool
) -> dict[str, Any]:
    """The hints of the settings, whose names are those that the class knows."""
    parameters = inspect.signature(target).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = [name for name, p in parameters.items() if name not in given and p.kind not in NAMELESS]
    for name in settings:
        if name in given:
            raise UserError(f"{path}.{name} is set by gantrain itself: leave it out")
        if name not in known and not takes_any:
            has = f" ({', '.join(known)})" if known else ", which has none"
            raise UserError(f"{path}.{name} is no setting of {target.__name__}{nearest(str(name), known)}{has}")
    there = {**settings, **given}
    missing = [name for name in known if parameters[name].default is inspect.Parameter.empty and name not in there]
    if missing and not partial:
        raise UserError(f"{path}.{missing[0]} is missing: {target.__name__} needs it")
    return hints_of(target)
