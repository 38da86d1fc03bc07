"""Type hints: those of a class's settings, and one as people say it."""

from __future__ import annotations

import collections.abc
import inspect
import re
import types
import typing
from types import NoneType
from typing import Any

SCALARS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def hints_of(kind: type) -> dict[str, Any]:
    """The hints of a class's settings, by name; those of a base's where they pass through `**kwargs`.

    A hint that does not resolve, as may happen in a user's own class, is what the default value is.
    """
    found: dict[str, Any] = {}
    for base in kind.__mro__:
        init = vars(base).get("__init__")
        if not inspect.isfunction(init):
            continue
        parameters = inspect.signature(init).parameters
        for name, parameter in parameters.items():
            found.setdefault(name, _hint(parameter, init.__globals__))
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    return found


def _hint(parameter: inspect.Parameter, names: dict[str, Any]) -> Any:
    try:
        holder = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
        hint = typing.get_type_hints(holder, names)["it"]
    except Exception:  # whatever a user's own annotation may raise
        hint = inspect.Parameter.empty
    if hint is not inspect.Parameter.empty:
        return hint
    default = parameter.default
    if isinstance(default, tuple) and default and all(_is_number(part) for part in default):
        return types.GenericAlias(tuple, (float,) * len(default))
    return float | None if _is_number(default) else Any


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def alternatives(hint: Any) -> list[Any]:
    """The members of a union; else the hint alone."""
    if typing.get_origin(hint) is typing.Annotated:
        return alternatives(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [part for member in typing.get_args(hint) for part in alternatives(member)]
    return [Any] if isinstance(hint, typing.TypeVar) else [hint]


def in_words(hint: Any) -> str:
    """A type as people say it."""
    members = [part for part in alternatives(hint) if part is not NoneType]
    if len(members) < len(alternatives(hint)):
        return f"{' or '.join(map(in_words, members))}, or null"
    if len(members) > 1:
        return " or ".join(in_words(part) for part in members if part in SCALARS or typing.get_origin(part))
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(str(choice) for choice in inner)
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Mapping):
        return "a mapping" + (f" from names to {_plural(inner[1])}" if inner else "")
    if inspect.isclass(origin) and issubclass(origin, (list, tuple, collections.abc.Sequence)) and origin is not str:
        if origin is tuple and inner and inner[-1] is not ...:
            return f"a list of {len(inner)} {_plural(inner[0])}"
        return "a list" + (f" of {_plural(inner[0])}" if inner else "")
    if hint in SCALARS:
        return SCALARS[hint]
    return f"{'an' if noun(hint)[0] in 'aeiouAEIOU' else 'a'} {noun(hint)}"


def noun(kind: Any) -> str:
    """A class's name in small letters: AdversarialLoss is an adversarial loss."""
    name = getattr(kind, "__name__", str(kind))
    return name if name.isupper() else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _plural(hint: Any) -> str:
    words = in_words(hint)
    if words.startswith("one of "):
        return words.removeprefix("one of ")
    return re.sub(r"ys$", "ies", re.sub(r"^an? ", "", words) + "s")
