"""Whether a value of a config is what a type hint asks for, in words that say what to change."""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any

from typeguard import TypeCheckError, check_type

from gantrain.config.hints import SCALARS, alternatives, in_words, noun
from gantrain.config.words import nearest
from gantrain.errors import Mistyped, UserError

PLAIN = (int, float, str, NoneType, collections.abc.Mapping, collections.abc.Sequence, collections.abc.Set)
"""What a config holds itself, without a class."""
OWN = ("builtins", "collections", "typing", "types", "gantrain", "torch")
"""Where the types come from of which it is known what they take. What a user's own types take, only they know."""


def check_role(target: type, written: str, partial: bool, hint: Any, path: str) -> None:
    """Whether an object of this class, `written` so, or with `partial` what makes one, belongs where the hint stands.

    Raises:
        UserError: it does not.
    """
    if any(member is Any or member is object for member in alternatives(hint)):
        return
    roles = [role for member in alternatives(hint) if (role := _role(member)) is not None]
    name = f"{path}._target_={written}"
    if not roles:
        raise UserError(f"{name}: no class belongs there, it should be {in_words(hint)}")
    right = [made for kind, made in roles if _is_a(target, kind)]
    if not right:
        raise UserError(f"{name} is no {noun(roles[0][0])}: name the class of one")
    if partial not in right and None not in right:
        raise UserError(f"{path}._partial_ must be {'left out' if partial else 'true'} for {target.__name__} there")


def _role(hint: Any) -> tuple[Any, bool | None] | None:
    """The class of which something must be, and whether it is still to be made; None for what no class can be."""
    if typing.get_origin(hint) is collections.abc.Callable:
        made = (typing.get_args(hint) or (..., object))[1]
        own = inspect.isclass(made) and made.__module__.startswith("gantrain")
        return (made, True) if own else (object, None)  # anything may be callable
    return (hint, False) if inspect.isclass(hint) and not issubclass(hint, PLAIN) else None


def _takes_anything(hint: Any) -> bool:
    own = getattr(hint, "__module__", "builtins").partition(".")[0] in OWN
    return hint is Any or hint is object or (inspect.isclass(hint) and not own)


def _is_a(target: type, kind: Any) -> bool:
    try:
        return issubclass(target, kind)
    except TypeError:  # a protocol with attributes
        return True


def parts_of(value: Any, hint: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """Key, hint and path of every item of a mapping or list, where the hint says what its items are.

    Raises:
        UserError: the hint asks for something else, or for another number of items.
    """
    if (
        isinstance(value, Mapping)
        and (odd := next((key for key in value if not isinstance(key, str)), None)) is not None
    ):
        raise UserError(f"{path}: {odd!r} is no name of a setting")
    inner: list[Any] | None = None
    for member in alternatives(hint):
        origin = typing.get_origin(member) or member
        if _takes_anything(member):
            inner = [Any] * len(value)
        elif inspect.isclass(origin) and _holds(origin, value):
            inner = _item_hints(origin, typing.get_args(member), len(value))
        if inner is not None:
            break
    if inner is None:
        raise Mistyped(misfit(value, hint, path))
    keys = value if isinstance(value, Mapping) else range(len(value))
    for key, item in zip(keys, inner, strict=True):
        yield key, item, f"{path}.{key}" if isinstance(value, Mapping) else f"{path}[{key}]"


def _holds(kind: type, value: Any) -> bool:
    if isinstance(value, Mapping):
        return issubclass(kind, collections.abc.Mapping)
    return issubclass(kind, tuple) or (issubclass(list, kind) and kind is not object)


def _item_hints(origin: type, inner: tuple[Any, ...], count: int) -> list[Any] | None:
    if issubclass(origin, tuple) and inner and inner[-1] is not ...:
        return list(inner) if len(inner) == count else None
    if issubclass(origin, collections.abc.Mapping):
        return [inner[1] if inner else Any] * count
    return [inner[0] if inner else Any] * count


def scalar(value: Any, hint: Any, path: str) -> Any:
    """A plain value as the hint wants it: a whole number may be written 1e4.

    Raises:
        UserError: it is of another type, or none of the words that there are.
    """
    members = alternatives(hint)
    if any(_fits(value, member) for member in members):
        return value
    if int in members and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    raise Mistyped(misfit(value, hint, path))


def _fits(value: Any, hint: Any) -> bool:
    if _takes_anything(hint):
        return True
    if isinstance(value, bool) and hint in (int, float):  # for Python true is 1
        return False
    try:
        check_type(value, hint)
    except TypeCheckError:
        return False
    return True


def misfit(value: Any, hint: Any, path: str) -> str:
    """The sentence for a value that does not fit the hint."""
    shown = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else repr(value)
    shown = f"{path}={shown if len(str(shown)) < 100 else str(shown)[:100] + ' …'}"
    roles = [role for member in alternatives(hint) if (role := _role(member)) is not None]
    if roles and not any(part in SCALARS or _role(part) is None for part in alternatives(hint) if part is not NoneType):
        null = ", or null" if NoneType in alternatives(hint) else ""
        return f"{shown} should be {in_words(roles[0][0])}, with a _target_ that names its class{null}"
    literals = [part for part in alternatives(hint) if typing.get_origin(part) is typing.Literal]
    known = [str(word) for part in literals for word in typing.get_args(part)]
    return f"{shown} should be {in_words(hint)}{nearest(str(value), known)}"
