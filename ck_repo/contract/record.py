"""Frozen dataclasses from JSON objects, and back. The types of the fields are what values are checked for."""

from __future__ import annotations

import math
import types
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
_PLAIN = {str: "a text", bool: "true or false", int: "an integer", float: "a finite number", Path: "a path"}


class FieldError(ValueError):
    """A value is missing, or is not of the type of its field.

    Attributes
    ----------
    key
        Where it is, with dots: ``model.side``.
    value
        The value; None if it is missing.
    expected
        What it should be: ``an integer``.
    """

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(f"{key} is {value!r}, not {expected}")
        self.key, self.value, self.expected = key, value, expected


def optional(default: Any = None) -> Any:
    """A field that an object need not have; `write` leaves it out when it has the default."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"optional": True})
    return field(default=default, metadata={"optional": True})


def transient(default: Any = None) -> Any:
    """A field that is neither read nor written: what is known of an object beside its file."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"transient": True})
    return field(default=default, metadata={"transient": True})


def other_keys() -> Any:
    """The field for the keys of an object that no other field has; they are kept, and written again."""
    return field(default_factory=dict, metadata={"others": True})


def read(kind: type[Record], content: object, key: str = "", exact: Collection[type] = ()) -> Record:
    """A dataclass from the value of a JSON text.

    A field with a default may be missing or null. The types of fields are str, bool, int, float, Path, Any, dataclasses,
    ``tuple[X, ...]``, ``Mapping[str, X]``, and any of them ``| None``. An integer is a float and a number a text, too.

    Parameters
    ----------
    key
        Where the value is, for errors.
    exact
        Dataclasses whose objects may have no keys but their fields.

    Raises
    ------
    FieldError
        If a value is missing, or is of the wrong type.
    """
    if not isinstance(content, Mapping):
        raise FieldError(key or "the whole", content, "an object")
    values: dict[str, object] = {}
    rest = ""
    for name, (hint, each) in _fields(kind).items():
        if each.metadata.get("others"):
            rest = name
        if each.metadata.get("others") or each.metadata.get("transient"):
            continue
        has_default = each.default is not MISSING or each.default_factory is not MISSING
        value = content.get(name)
        if has_default and value is None:
            continue
        values[name] = _value(hint, value, f"{key}.{name}" if key else name, exact)
        if not has_default and value is None and name not in content:
            raise FieldError(f"{key}.{name}" if key else name, None, _described(hint))
    unknown = [name for name in content if name not in _fields(kind)]
    if unknown and kind in exact:
        raise FieldError(f"{key}.{unknown[0]}" if key else str(unknown[0]), content[unknown[0]], "a key that is known")
    if rest:
        values[rest] = {str(name): content[name] for name in unknown}
    return kind(**values)


def write(record: object) -> dict[str, object]:
    """The JSON object of a dataclass."""
    content: dict[str, object] = {}
    for name, (_, each) in _fields(type(record)).items():
        value = getattr(record, name)
        if each.metadata.get("others"):
            content |= value
        elif not each.metadata.get("transient") and not (each.metadata.get("optional") and value == _default(each)):
            content[name] = _plain(value)
    return content


def _fields(kind: Any) -> dict[str, tuple[Any, Field[Any]]]:
    return _hinted(kind)


@cache
def _hinted(kind: Any) -> dict[str, tuple[Any, Field[Any]]]:
    hints = get_type_hints(kind)
    return {each.name: (hints[each.name], each) for each in fields(kind)}


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _value(hint: Any, value: Any, key: str, exact: Collection[type]) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):  # X | None
        inner = next(part for part in parts if part is not type(None))
        if value is None or (value == {} and is_dataclass(inner)):
            return None
        return _value(inner, value, key, exact)
    if is_dataclass(hint):
        return read(cast("type[Any]", hint), value, key, exact)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(parts[0], each, f"{key}[{number}]", exact) for number, each in enumerate(value))
    if origin is Mapping and isinstance(value, Mapping):
        return {str(name): _value(parts[1], each, f"{key}.{name}", exact) for name, each in value.items()}
    if not _is(hint, value):
        raise FieldError(key, value, _described(hint))
    return hint(value) if hint in (str, Path) else value


def _is(hint: Any, value: object) -> bool:
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and _is_finite(value)
    return isinstance(value, str | int | float if hint is str else str if hint is Path else int if hint is int else ())


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _described(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _described(next(part for part in parts if part is not type(None)))
    if origin is tuple:
        return "a list"
    return _PLAIN.get(hint, "an object")


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return write(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [_plain(each) for each in (sorted(value) if isinstance(value, frozenset) else value)]
    return str(value) if isinstance(value, Path) else value
