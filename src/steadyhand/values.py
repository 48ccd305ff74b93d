"""Values as people hand them over: numbers, the fields of a value, the arguments of a call.

Each is refused where it is given, with what it is and what it may be. Numpy's numbers are taken for
Python's, a list where a tuple belongs, a text where a path does.
"""

import functools
import inspect
import math
import os
import reprlib
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from steadyhand.errors import ConfigurationError, unknown

LARGEST = 2**63 - 1
"""Whole numbers beyond are no counts and no seeds."""
C = TypeVar("C", bound=Callable[..., Any])
REFUSED: Any = object()
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60


def shown(value: object) -> str:
    """A value in a message: in one line, short whatever it is."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of some {round(value.bit_length() * math.log10(2))} digits"
    text = " ".join(_REPR.repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


@dataclass(frozen=True)
class Bound:
    """What numbers of a kind `Annotated[int, Bound("even", …)]` must be, as messages say it.

    It holds for every number of a tuple, and for nothing else that the kind allows.
    """

    said: str
    holds: Callable[[Any], bool]


def at_least(low: float) -> Bound:
    return Bound(f"at least {low}", lambda value: value >= low)


def at_most(high: float) -> Bound:
    return Bound(f"at most {high}", lambda value: value <= high)


POSITIVE = Bound("positive and finite", lambda value: value > 0)


def whole(name: str, value: Any, low: int = 1, high: int = LARGEST) -> int:
    """`value`, a whole number in low…high. Raises `ConfigurationError`; True is none."""
    return taken(name, value, int, at_least(low), at_most(high))


def seed(name: str, value: Any) -> int:
    """`value`, a seed: a whole number in 0…2**63 - 1. Raises `ConfigurationError`."""
    with suppress(ConfigurationError):
        return whole(name, value, 0)
    raise ConfigurationError(f"{name} is {shown(value)}; seeds are whole numbers, 0 to 2**63 - 1.")


def positive(name: str, value: Any) -> float:
    """`value`, a finite number above 0. Raises `ConfigurationError`."""
    with suppress(ConfigurationError):
        return taken(name, value, float, POSITIVE)
    raise ConfigurationError(f"{name} is {shown(value)}; it must be {POSITIVE.said}.")


def checked(called: C) -> C:
    """A class or function that looks at what it is given before anything else.

    As `named`, and values of another kind than is declared, or out of its bounds, raise
    `ConfigurationError`, too: all those of a dataclass, and the numbers, texts and paths of a
    function. Numbers are finite and below 2**63. Protocols, arrays and functions are left to
    whoever uses them.
    """
    return _looking(called, _kinds)


def named(called: C) -> C:
    """A class or function that looks at its arguments by name only.

    Raises `ConfigurationError` for one that it does not have, and for one that is lacking.
    """
    return _looking(called, lambda owner: {})


def _looking(owner: C, kinds_of: Callable[[Any], Mapping[str, tuple[Any, ...]]]) -> C:
    function: Callable[..., Any] = owner.__init__ if isinstance(owner, type) else owner
    signature = inspect.signature(function)

    @functools.wraps(function)
    def looked(*values: Any, **named: Any) -> Any:
        try:
            bound = signature.bind(*values, **named)
        except TypeError:
            raise ConfigurationError(_mismatch(owner, signature, values, named)) from None
        kinds = kinds_of(owner)
        for name in [name for name in bound.arguments if name in kinds]:
            bound.arguments[name] = taken(name, bound.arguments[name], *kinds[name])
        return function(*bound.args, **bound.kwargs)

    if isinstance(owner, type):
        owner.__init__ = looked
    return typing.cast(C, owner if isinstance(owner, type) else looked)


@functools.cache
def _kinds(owner: Any) -> dict[str, tuple[Any, ...]]:
    """The arguments that are looked at, by name: the kind of each, then its bounds."""
    declared = typing.get_type_hints(owner, include_extras=True)
    return {
        name: (kind, *_bounds(declared[name]))
        for name, kind in typing.get_type_hints(owner).items()
        if isinstance(owner, type) or all(map(_plain, _options(kind)))
    }


def _bounds(kind: Any) -> list[Bound]:
    """The bounds of all that a kind is made of."""
    if isinstance(kind, Bound):
        return [kind]
    return [bound for part in typing.get_args(kind) for bound in _bounds(part)]


def _plain(kind: Any) -> bool:
    if typing.get_origin(kind) is tuple:
        return all(map(_plain, set(typing.get_args(kind)) - {Ellipsis}))
    return kind in PLAIN or typing.get_origin(kind) is Callable


def _mismatch(
    owner: Any, signature: inspect.Signature, values: tuple[Any, ...], named: Mapping[str, Any]
) -> str:
    """What is wrong with a call that its function does not take."""
    name, parameters = owner.__name__, list(signature.parameters.values())
    if parameters and parameters[0].name in ("self", "cls"):
        parameters, values = parameters[1:], values[1:]
    known = [parameter.name for parameter in parameters]
    strange = [key for key in named if key not in known]
    if strange:
        kind = "field" if isinstance(owner, type) else "argument"
        return unknown(f"{kind} of {name}:", strange[0], known)
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


def taken(name: str, value: Any, kind: Any, *bounds: Bound) -> Any:
    """`value` as the declared kind, in its bounds. Raises `ConfigurationError` where it is not."""
    found = as_kind(value, kind)
    if found is not REFUSED:
        for bound in bounds:
            for number in found if isinstance(found, tuple) else (found,):
                if isinstance(number, int | float) and not bound.holds(number):
                    raise ConfigurationError(f"{name} is {number}; it must be {bound.said}.")
        return found
    kinds = _options(kind)
    choices = [choice for part in kinds for choice in _choices(part)]
    made = [part for part in kinds if is_dataclass(part)]
    several = any(typing.get_origin(part) is tuple or part == Iterable[str] for part in kinds)
    if choices and isinstance(value, str):
        raise ConfigurationError(unknown(name, value, choices))
    said, wanted = f"{name} is {shown(value)}", " or ".join(map(_word, kinds))
    if isinstance(value, float | np.floating) and not np.isfinite(value):
        wanted = "finite"
    elif type(value) is int and abs(value) > LARGEST:
        wanted = "below 2**63"
    elif isinstance(value, str) and several:
        text = shown(value)
        raise ConfigurationError(f"{name} is the text {text}; give a tuple of names, as ({text},).")
    elif isinstance(value, Mapping) and made:
        fields = ", ".join(f"{key}={shown(item)}" for key, item in value.items())
        wanted += f". Write {made[0].__name__}({fields})"  # type: ignore[union-attr]
    elif isinstance(value, type) and value in made:
        wanted += f". Write {value.__name__}()"
    raise ConfigurationError(f"{said}; it must be {wanted}.")


def as_kind(value: Any, kind: Any) -> Any:
    """`value` as the declared kind, or `REFUSED`."""
    if isinstance(value, np.generic):
        value = value.item()
    inner = typing.get_args(kind)
    if len(_options(kind)) > 1:
        found = (as_kind(value, option) for option in inner)
        return next((item for item in found if item is not REFUSED), REFUSED)
    if typing.get_origin(kind) is tuple:
        kinds = inner[:1] * len(value) if isinstance(value, tuple | list) else ()
        kinds = kinds if inner[-1] is Ellipsis else inner
        if not isinstance(value, tuple | list) or len(kinds) != len(value):
            return REFUSED
        items = tuple(map(as_kind, value, kinds))
        return REFUSED if any(item is REFUSED for item in items) else items
    if kind is Path and isinstance(value, str | os.PathLike):
        value = Path(value)  # pyright: ignore[reportUnknownArgumentType]
    if not _fits(value, kind):
        return REFUSED
    return float(value) if kind is float else value


def _fits(value: Any, kind: Any) -> bool:
    if choices := _choices(kind):
        return any(type(value) is type(choice) and value == choice for choice in choices)
    if kind in PLAIN:
        return PLAIN[kind][1](value)
    if typing.get_origin(kind) is Callable:
        return callable(value)
    if not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return True
    return isinstance(value, kind)


def _whole(value: Any) -> bool:
    return type(value) is int and abs(value) <= LARGEST


def _path(value: Any) -> bool:
    """Whether some file could be called so, however odd its name."""
    try:
        return isinstance(value, Path) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


PLAIN: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("a whole number", _whole),
    float: ("a number", lambda v: _whole(v) or (type(v) is float and math.isfinite(v))),
    bool: ("True or False", lambda v: type(v) is bool),
    str: ("a text", lambda v: isinstance(v, str)),
    Path: ("a path", _path),
    types.NoneType: ("None", lambda v: v is None),
    Iterable[str]: ("names", lambda v: isinstance(v, Iterable) and not isinstance(v, str)),
    Sequence[int]: (
        "whole numbers, as (3,)",
        lambda v: (
            isinstance(v, Sequence | np.ndarray) and all(isinstance(n, int | np.integer) for n in v)
        ),
    ),
}
"""What is looked at wherever it is declared: what it is called, and whether a value is one."""


def _options(kind: Any) -> tuple[Any, ...]:
    """The kinds of a union; of anything else, itself."""
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if union else (kind,)


def _choices(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()


def _word(kind: Any) -> str:
    if choices := _choices(kind):
        return " or ".join(map(repr, choices))
    if kind in PLAIN:
        return PLAIN[kind][0]
    if typing.get_origin(kind) is Callable:
        return "something to call, a function or a class"
    if typing.get_origin(kind) is tuple:
        inner = [part for part in typing.get_args(kind) if part is not Ellipsis]
        names = {int: "whole numbers", float: "numbers", str: "names"}
        count = "" if Ellipsis in typing.get_args(kind) else f"{len(inner)} "
        return f"a tuple of {count}{names.get(inner[0], 'values')}"
    return kind.__name__
