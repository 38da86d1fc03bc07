"""Whether a value of a config is what a type hint asks for, in words that say what to change."""

from __future__ import annotations

import collections.abc
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any

from typeguard import TypeCheckError, check_type

from gantrain.errors import Mistyped, UserError
from gantrain.overrides import nearest

PLAIN = (int, float, str, NoneType, collections.abc.Mapping, collections.abc.Sequence, collections.abc.Set)
"""What a config holds itself, without a class."""
OWN = ("builtins", "collections", "typing", "types", "gantrain", "torch")
"""Where the types come from of which it is known what they take. What a user's own types take, only they know."""
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
        raise UserError(f"{name} is no {_noun(roles[0][0])}: name the class of one")
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
    return f"{'an' if _noun(hint)[0] in 'aeiouAEIOU' else 'a'} {_noun(hint)}"


def _noun(kind: Any) -> str:
    """A class's name in small letters: AdversarialLoss is an adversarial loss."""
    name = getattr(kind, "__name__", str(kind))
    return name if name.isupper() else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _plural(hint: Any) -> str:
    words = in_words(hint)
    if words.startswith("one of "):
        return words.removeprefix("one of ")
    return re.sub(r"ys$", "ies", re.sub(r"^an? ", "", words) + "s")
