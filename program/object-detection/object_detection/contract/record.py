"""Read frozen dataclasses from JSON objects, and write them. Values are checked against the types of the fields."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
_Reader = Callable[[Any, Collection[type]], Any]
_PLAIN = {str: "a text", bool: "true or false", int: "an integer", float: "a finite number", Path: "a path"}


class FieldError(ValueError):
    """A value is missing, or has the wrong type.

    Attributes
    ----------
    key
        Its path, with dots: ``model.side``.
    value
        The value; None if it is missing.
    expected
        The expected type: ``an integer``.
    """

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(f"{key or 'the document'} is {value!r}, not {expected}")
        self.key, self.value, self.expected = key, value, expected

    def below(self, part: str) -> FieldError:
        """The same error for an object that is a part of another."""
        return FieldError(
            f"{part}{'' if self.key.startswith('[') or not self.key else '.'}{self.key}", self.value, self.expected
        )


def optional(default: Any = None) -> Any:
    """An optional field; `write` omits it when it has the default."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"optional": True})
    return field(default=default, metadata={"optional": True})


def transient(default: Any = None) -> Any:
    """A field that is neither read nor written."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"transient": True})
    return field(default=default, metadata={"transient": True})


def other_keys() -> Any:
    """A field for the keys of an object that have no other field; they are kept and written again."""
    return field(default_factory=dict, metadata={"others": True})


def read(kind: type[Record], content: object, key: str = "", exact: Collection[type] = ()) -> Record:
    """Read a dataclass from a JSON value.

    A field with a default may be missing or null. The types of fields are str, bool, int, float, Path, Any, dataclasses,
    ``tuple[X, ...]``, ``Mapping[str, X]``, and any of them ``| None``. Integers are accepted as floats, and numbers as strings.

    Parameters
    ----------
    key
        Path of the value, for errors.
    exact
        Dataclasses whose objects may have no other keys than their fields.

    Raises
    ------
    FieldError
        If a value is missing, or has the wrong type.
    """
    try:
        return cast(Record, _read(kind, content, exact))
    except FieldError as error:
        raise (error.below(key) if key else error) from None


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


@dataclass(frozen=True)
class _Plan:
    """How the objects of a dataclass are read.

    Attributes
    ----------
    parts
        Name, reader and whether there is a default, for each field of an object.
    names
        Names of all fields.
    rest
        Name of the field for all other keys; empty if there is none.
    """

    parts: tuple[tuple[str, _Reader, bool], ...]
    names: frozenset[str]
    rest: str


@cache
def _plan(kind: Any) -> _Plan:
    parts, rest = [], ""
    for name, (hint, each) in _fields(kind).items():
        if each.metadata.get("others"):
            rest = name
        elif not each.metadata.get("transient"):
            has_default = each.default is not MISSING or each.default_factory is not MISSING
            parts.append((name, _reader(hint), has_default))
    return _Plan(tuple(parts), frozenset(_fields(kind)), rest)


def _read(kind: Any, content: object, exact: Collection[type]) -> Any:
    if not isinstance(content, Mapping):
        raise FieldError("", content, "an object")
    plan, values = _plan(kind), {}
    for name, reader, has_default in plan.parts:
        value = content.get(name)
        if value is None and (has_default or name not in content):
            if has_default:
                continue
            raise FieldError(name, None, _described(_fields(kind)[name][0]))
        try:
            values[name] = reader(value, exact)
        except FieldError as error:
            raise error.below(name) from None
    if kind in exact or plan.rest:
        unknown = [name for name in content if name not in plan.names]
        if unknown and kind in exact:
            raise FieldError(str(unknown[0]), content[unknown[0]], "a known key")
        if plan.rest:
            values[plan.rest] = {str(name): content[name] for name in unknown}
    return kind(**values)


def _fields(kind: Any) -> dict[str, tuple[Any, Field[Any]]]:
    return _hinted(kind)


@cache
def _hinted(kind: Any) -> dict[str, tuple[Any, Field[Any]]]:
    hints = get_type_hints(kind)
    return {each.name: (hints[each.name], each) for each in fields(kind)}


@cache
def _reader(hint: Any) -> _Reader:
    """The function that reads a value of a type."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value, exact: value
    if origin in (Union, types.UnionType):  # X | None
        inner = next(part for part in parts if part is not type(None))
        of_inner, is_record = _reader(inner), is_dataclass(inner)
        return lambda value, exact: None if value is None or (is_record and value == {}) else of_inner(value, exact)
    if is_dataclass(hint):
        return lambda value, exact: _read(hint, value, exact)
    if origin is tuple:
        return _list_reader(_reader(parts[0]))
    if origin is Mapping:
        return _mapping_reader(_reader(parts[1]), parts[1] is Any)
    return _plain_reader(hint)


def _list_reader(of_each: _Reader) -> _Reader:
    def reader(value: Any, exact: Collection[type]) -> Any:
        if not isinstance(value, list | tuple):
            raise FieldError("", value, "a list")
        found = []
        for number, each in enumerate(value):
            try:
                found.append(of_each(each, exact))
            except FieldError as error:
                raise error.below(f"[{number}]") from None
        return tuple(found)

    return reader


def _mapping_reader(of_each: _Reader, is_any: bool) -> _Reader:
    def reader(value: Any, exact: Collection[type]) -> Any:
        if not isinstance(value, Mapping):
            raise FieldError("", value, "an object")
        if is_any:
            return {str(name): each for name, each in value.items()}
        found = {}
        for name, each in value.items():
            try:
                found[str(name)] = of_each(each, exact)
            except FieldError as error:
                raise error.below(str(name)) from None
        return found

    return reader


def _plain_reader(hint: Any) -> _Reader:
    usual = str if hint is Path else hint

    def reader(value: Any, exact: Collection[type]) -> Any:
        if type(value) is not usual or usual is float:
            if not _is(hint, value):
                raise FieldError("", value, _described(hint))
            return str(value) if hint is str else Path(value) if hint is Path else value
        return Path(value) if hint is Path else value

    return reader


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


_ACCEPTED: Mapping[Any, tuple[type, ...]] = {str: (str, int, float), Path: (str,), int: (int,), float: (int, float), bool: ()}


def _is(hint: Any, value: object) -> bool:
    """Whether a value is accepted for a type: integers for floats and numbers for strings, but no booleans for numbers."""
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, _ACCEPTED.get(hint, ())) and (hint is not float or _is_finite(value))


def _is_finite(value: Any) -> bool:
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
