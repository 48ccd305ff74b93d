"""Frozen dataclasses to JSON and back, with the class name as the tag where there is a choice.

Nothing is imported or executed for what a file names: a tag is looked up among the classes that
the field's own type allows, so that reading a stranger's file is safe.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from steadyhand.errors import CheckpointError, unknown
from steadyhand.values import REFUSED, as_kind, shown

T = TypeVar("T")
TAG = "type"


def encode(value: Any) -> Any:
    """Plain JSON values for a dataclass and all it holds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {TAG: type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in cast(Mapping[str, Any], value).items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in cast(Sequence[Any], value)]
    return str(value) if isinstance(value, Path) else value


def decode(kind: Any, value: Any, where: str = "") -> Any:
    """The value of type `kind` that `encode` made `value` from.

    Raises `CheckpointError` for what does not fit, naming the field. Fields that are missing take
    their defaults; unknown ones are errors, since what they meant would be lost.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(inner, value, where)
    if _is_choice(kind):
        return _decode_dataclass(kind, value, where)
    if origin is tuple and (items := _as(list[Any], value)) is not None:
        kinds = inner[:1] * len(items) if inner[-1] is Ellipsis else inner
        if len(kinds) == len(items):
            return tuple(decode(k, item, where) for k, item in zip(kinds, items, strict=True))
    if origin is Mapping and (content := _as(dict[str, Any], value)) is not None:
        return {str(key): decode(inner[1], item, f"{where}.{key}") for key, item in content.items()}
    leaf = origin is typing.Literal or kind in (int, float, bool, str, Path)
    if leaf and (found := as_kind(value, kind)) is not REFUSED:
        return found
    named = getattr(kind, "__name__", None) if origin is None else None
    raise CheckpointError(
        f"{where or 'The file'}: {shown(value)} is not a value of {named or kind}."
    )


def _as(kind: type[T], value: Any) -> T | None:
    """`value`, where it is a list or an object of a file's."""
    return value if isinstance(value, typing.get_origin(kind) or kind) else None


def _is_choice(option: Any) -> bool:
    return isinstance(option, type) and dataclasses.is_dataclass(option)


def _decode_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    classes: dict[str, type] = {o.__name__: o for o in options if _is_choice(o)}
    content = _as(dict[str, Any], value)
    if content is not None and classes:
        tag = content.get(TAG, "")
        tag = tag if isinstance(tag, str) else shown(tag)
        if tag not in classes:
            raise CheckpointError(f"{where}: {unknown('type', tag, classes)}")
        return decode(classes[tag], value, where)
    for option in options:
        if option is not type(None) and option not in classes.values():
            with suppress(CheckpointError):
                return decode(option, value, where)
    raise CheckpointError(f"{where or 'The file'}: {shown(value)} does not fit.")


def _decode_dataclass(kind: type, value: Any, where: str) -> Any:
    given = _as(dict[str, Any], value)
    if given is None:
        raise CheckpointError(f"{where or kind.__name__}: expected the fields of {kind.__name__}.")
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind) if field.init]
    content: dict[str, Any] = {}
    for name, item in given.items():
        if name == TAG:
            continue
        if name not in known:
            raise CheckpointError(
                f"{where or kind.__name__}: {unknown('field', str(name), known)} "
                "It may come from a newer version of steadyhand: pip install -U steadyhand"
            )
        content[name] = decode(hints[name], item, f"{where}.{name}" if where else name)
    try:
        return kind(**content)
    except (ValueError, ArithmeticError) as error:
        raise CheckpointError(f"{where or kind.__name__}: {error}") from error
    except TypeError as error:
        raise CheckpointError(f"{where or kind.__name__}: a field is missing ({error}).") from error
