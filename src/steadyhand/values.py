"""Values as people hand them over: numbers, arrays, arguments of a call, the parts of a loop.

Each is refused where it is given, with what it is and what it may be. Numpy's numbers are taken for
Python's, a list where a tuple belongs, a text where a path does.
"""

import functools
import inspect
import math
import os
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from steadyhand.errors import ConfigurationError, unknown

LARGEST = 2**63 - 1
"""Whole numbers beyond are no counts and no seeds."""
C = TypeVar("C", bound=Callable[..., Any])
PLAIN = {
    int,
    float,
    bool,
    str,
    Path,
    types.NoneType,
    tuple[str, ...],
    tuple[int, ...],
    Iterable[str],
    Sequence[int],
}
_REFUSED: Any = object()
_NAME = re.compile(r"(?P<key>[^\[\]]{1,200})(\[(?P<start>[0-9]{0,9}):(?P<stop>[0-9]{0,9})\])?")


def shown(value: object) -> str:
    """A value in a message: in one line, cut where it is long."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of some {round(value.bit_length() * math.log10(2))} digits"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def whole(name: str, value: Any, low: int = 1, high: int = LARGEST) -> int:
    """`value`, a whole number in low…high. Raises `ConfigurationError`; True is none."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ConfigurationError(f"{name} is {shown(value)}; it must be a whole number.")
    if not low <= value <= high:
        bound = f"at least {low}" if value < low else f"at most {high}"
        raise ConfigurationError(f"{name} is {shown(value)}; it must be {bound}.")
    return int(value)


def seed(name: str, value: Any) -> int:
    """`value`, a seed: a whole number in 0…2**63 - 1. Raises `ConfigurationError`."""
    try:
        return whole(name, value, 0)
    except ConfigurationError:
        raise ConfigurationError(
            f"{name} is {shown(value)}; seeds are whole numbers, 0 to 2**63 - 1."
        ) from None


def positive(name: str, value: Any) -> float:
    """`value`, a finite number above 0. Raises `ConfigurationError`."""
    number = not isinstance(value, bool) and isinstance(value, int | float | np.number)
    if not number or isinstance(value, complex) or not 0 < value < math.inf:
        raise ConfigurationError(f"{name} is {shown(value)}; it must be positive and finite.")
    return float(value)


def check_array(name: str, values: object) -> None:
    """Raise `ConfigurationError` for what is no array of numbers: a list, a tensor, words."""
    held: np.dtype[Any] | None = getattr(values, "dtype", None)
    if held is None or not isinstance(values, np.ndarray | np.generic):
        kind = type(values)
        tensor = kind.__module__.partition(".")[0] == "torch"
        way_on = f"{name}.cpu().numpy()" if tensor else f"np.asarray({name})"
        raise ConfigurationError(
            f"{name} is a {kind.__name__}; numpy arrays are taken here: {way_on}."
        )
    if held.kind not in "biuf" or held.itemsize > 8:
        raise ConfigurationError(
            f"{name} holds {held}; numbers are taken here: whole, floating or boolean, of at most "
            "8 bytes."
        )


def parse_name(name: str) -> tuple[str, slice]:
    """A feature's name as (recorded key, columns): `state[:2]` → ("state", slice(None, 2))."""
    match = _NAME.fullmatch(name)
    if match is None or not name.isprintable():
        raise ConfigurationError(
            f"'{name}' does not name a feature. Write its key, or columns of it as 'state[0:2]'."
        )
    if match["start"] is None:
        return match["key"], slice(None)
    bounds = (int(text) if text else None for text in (match["start"], match["stop"]))
    return match["key"], slice(*bounds)


def require(
    parts: Mapping[str, tuple[object, type]], advice: str = "", *, but: Collection[str] = ()
) -> None:
    """Each part, by name, is an object with all that its protocol has, `but` for some.

    Raises `ConfigurationError` that names everything that is lacking in any of them.
    """
    said = [_lacking(name, part, protocol, but) for name, (part, protocol) in parts.items()]
    if any(said):
        raise ConfigurationError(" ".join(filter(None, [*said, advice])))


def _lacking(name: str, part: object, protocol: type, but: Collection[str]) -> str:
    members = {k: v for k, v in vars(protocol).items() if not k.startswith("_") and k not in but}
    missing = [
        f"{key}()" if inspect.isfunction(member) else key
        for key, member in members.items()
        if not hasattr(part, key)
        or (inspect.isfunction(member) and not callable(getattr(part, key)))
    ]
    lacks = ", ".join(missing)
    if isinstance(part, type):
        called = part.__name__
        has_not = f" It has no {lacks}, either." if missing else ""
        return f"The {name} is the class {called}, not an object: call it, {called}(…).{has_not}"
    kind = type(part).__name__
    return f"The {name} is {kind}, not an object with {lacks}." if missing else ""


def checked(called: C) -> C:
    """A class or function that looks at what it is given before anything else.

    As `named`, and values of another kind than is declared raise `ConfigurationError`, too: all
    those of a dataclass, and the numbers, texts and paths of a function. Numbers are finite and
    below 2**63. Protocols, arrays and functions are left to whoever uses them.
    """
    return _looking(called, _kinds)


def named(called: C) -> C:
    """A class or function whose arguments are looked at by name only.

    A name that it does not have, an argument without its name and one that is lacking raise
    `ConfigurationError`.
    """
    return _looking(called, lambda owner: {})


def _looking(owner: C, kinds_of: Callable[[Any], Mapping[str, Any]]) -> C:
    function: Callable[..., Any] = owner.__init__ if isinstance(owner, type) else owner
    signature = inspect.signature(function)

    @functools.wraps(function)
    def looked(*values: Any, **named: Any) -> Any:
        try:
            bound = signature.bind(*values, **named)
        except TypeError:
            raise ConfigurationError(_mismatch(owner, signature, values, named)) from None
        kinds = kinds_of(owner)
        for name in bound.arguments.keys() & kinds.keys():
            bound.arguments[name] = taken(name, bound.arguments[name], kinds[name])
        return function(*bound.args, **bound.kwargs)

    if not isinstance(owner, type):
        return typing.cast(C, looked)
    owner.__init__ = looked
    return typing.cast(C, owner)


@functools.cache
def _kinds(owner: Any) -> dict[str, Any]:
    """The kinds of arguments that are looked at, by name."""
    hints = typing.get_type_hints(owner)
    if isinstance(owner, type):
        return hints
    return {name: kind for name, kind in hints.items() if all(map(_plain, _options(kind)))}


def _plain(kind: Any) -> bool:
    return kind in PLAIN or _calls(kind)


def _calls(kind: Any) -> bool:
    return typing.get_origin(kind) is Callable


def _mismatch(
    owner: Any, signature: inspect.Signature, values: tuple[Any, ...], named: Mapping[str, Any]
) -> str:
    """What is wrong with a call that its function does not take."""
    name, is_class = owner.__name__, isinstance(owner, type)
    parameters = list(signature.parameters.values())
    unseen = parameters[0].name in ("self", "cls") if parameters else False
    parameters, values = parameters[unseen:], values[unseen:]
    known = [parameter.name for parameter in parameters]
    strange = [key for key in named if key not in known]
    if strange:
        return unknown(f"{'field' if is_class else 'argument'} of {name}:", strange[0], known)
    placed = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    if len(values) > len(placed):
        rest = ", ".join(f"{key}=…" for key in known if key not in placed)
        extra = shown(values[len(placed)])
        return f"{name} was given {extra} without a name: {name}({rest})."
    twice = [key for key in placed[: len(values)] if key in named]
    if twice:
        return f"{name} was given {twice[0]} twice, by its place and by its name."
    there = {*placed[: len(values)], *named}
    lacking = [p.name for p in parameters if p.default is p.empty and p.name not in there]
    return f"{name} was not given {', '.join(lacking)}."


def taken(name: str, value: Any, kind: Any) -> Any:
    """`value` as the declared kind. Raises `ConfigurationError` where it is another."""
    found = _as(value, kind)
    if found is not _REFUSED:
        return found
    options = [option for part in _options(kind) for option in _literals(part)]
    if options and isinstance(value, str):
        raise ConfigurationError(unknown(name, value, options))
    if isinstance(value, float | np.floating) and not np.isfinite(value):
        raise ConfigurationError(f"{name} is {value}; it must be finite.")
    if type(value) is int and abs(value) > LARGEST:
        raise ConfigurationError(f"{name} is {shown(value)}; it must be below 2**63.")
    if isinstance(value, str) and any(
        typing.get_origin(p) is tuple or p == Iterable[str] for p in _options(kind)
    ):
        raise ConfigurationError(
            f"{name} is the text {shown(value)}; give a tuple of names, as ({shown(value)},)."
        )
    wanted = " or ".join(map(_word, _options(kind)))
    way_on = ""
    made = [part for part in _options(kind) if is_dataclass(part)]
    if isinstance(value, Mapping) and made:
        fields = ", ".join(f"{key}={shown(item)}" for key, item in value.items())
        way_on = f" Write {made[0].__name__}({fields})."  # type: ignore[union-attr]
    elif isinstance(value, type) and value in made:
        way_on = f" Write {value.__name__}()."
    raise ConfigurationError(f"{name} is {shown(value)}; it must be {wanted}.{way_on}")


def _as(value: Any, kind: Any) -> Any:
    """`value` as `kind`, or `_REFUSED`."""
    if isinstance(value, np.generic):
        value = value.item()
    inner = typing.get_args(kind)
    if len(_options(kind)) > 1:
        found = (_as(value, option) for option in inner)
        return next((item for item in found if item is not _REFUSED), _REFUSED)
    if typing.get_origin(kind) is tuple:
        kinds = inner[:1] * len(value) if isinstance(value, tuple | list) else ()
        kinds = kinds if inner[-1] is Ellipsis else inner
        if not isinstance(value, tuple | list) or len(kinds) != len(value):
            return _REFUSED
        items = tuple(_as(item, part) for item, part in zip(value, kinds, strict=True))
        return _REFUSED if any(item is _REFUSED for item in items) else items
    if kind is Path and isinstance(value, str | os.PathLike):
        return Path(value)  # pyright: ignore[reportUnknownArgumentType]
    if not _fits(value, kind):
        return _REFUSED
    return float(value) if kind is float else value


def _fits(value: Any, kind: Any) -> bool:
    if options := _literals(kind):
        return any(type(value) is type(option) and value == option for option in options)
    if kind in (int, float) and type(value) is int:
        return abs(value) <= LARGEST
    if kind in (int, float):
        return type(value) is kind and math.isfinite(value)
    if kind == Iterable[str]:
        return isinstance(value, Iterable) and not isinstance(value, str)
    if kind == Sequence[int]:
        listed = isinstance(value, Sequence | np.ndarray)
        return listed and all(isinstance(n, int | np.integer) for n in value)
    if _calls(kind):
        return callable(value)
    if not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return True
    return isinstance(value, kind)


def _options(kind: Any) -> tuple[Any, ...]:
    """The kinds of a union; of anything else, itself."""
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if union else (kind,)


def _literals(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()


def _word(kind: Any) -> str:
    words = {
        int: "a whole number",
        float: "a number",
        bool: "True or False",
        Iterable[str]: "names",
        Sequence[int]: "whole numbers, as (3,)",
        str: "a text",
        Path: "a path",
        types.NoneType: "None",
    }
    if options := _literals(kind):
        return " or ".join(map(repr, options))
    if typing.get_origin(kind) is tuple:
        inner = [part for part in typing.get_args(kind) if part is not Ellipsis]
        names = {int: "whole numbers", float: "numbers", str: "names"}
        count = "" if Ellipsis in typing.get_args(kind) else f"{len(inner)} "
        return f"a tuple of {count}{names.get(inner[0], 'values')}"
    if _calls(kind):
        return "something to call, a function or a class"
    return words.get(kind) or kind.__name__
