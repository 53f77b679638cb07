"""The axes of a campaign: names of run options, and their values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ck_repo.errors import ConfigError, UsageError, did_you_mean
from ck_repo.run.option import RunOption
from ck_repo.run.options import RUN_OPTIONS

_WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_BY_NAME = {name: option for option in RUN_OPTIONS for name in (option.name, option.key, option.keyword)}


def axis(typed: str) -> tuple[RunOption, str]:
    """The run option for a name, and the key within it if its values are an object.

    >>> option, key = axis("dep_add_tags.weights")
    >>> option.name, key
    ('added_tags', 'weights')

    Raises
    ------
    UsageError
        If there is no such option; the message lists similar names.
    """
    head, _, key = typed.replace("-", "_").partition(".")
    option = _BY_NAME.get(head)
    if option is None:
        raise UsageError(f"there is no run option {typed!r}", hint=did_you_mean(head, [row.key for row in RUN_OPTIONS]))
    if key and option.parts:
        option = _BY_NAME[option.parts.replace("-", "_")]
    if (option.kind == "nested") != bool(key):
        form = f"{option.key}.KEY" if option.kind == "nested" else option.key
        raise UsageError(f"{typed!r} has no value of its own", hint=f"use {form}")
    return option, typed.partition(".")[2]


def axis_name(typed: str) -> str:
    """The name that a campaign records for `typed`.

    >>> axis_name("batch-size")
    'batch_size'
    """
    option, key = axis(typed)
    return f"{option.name}.{key}" if key else option.name


def read_values(typed: str, value: Any) -> tuple[Any, ...]:
    """The values of an option.

    Parameters
    ----------
    value
        A list, a single value, ``a,b``, or a list in JSON where values contain commas.

    >>> read_values("batch_size", "1,4")
    (1, 4)

    Raises
    ------
    UsageError
        If there is none, one occurs twice, or one has the wrong type.
    """
    option, _ = axis(typed)
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise UsageError(f"the values of {typed} are not a JSON list: {error}") from None
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    rows = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    values = tuple(read_value(option, each) for each in rows)
    if not values:
        raise UsageError(f"{typed} has no values", hint=f"write --over.{typed}=a,b")
    twice = [each for number, each in enumerate(values) if each in values[:number]]
    if twice:
        raise UsageError(f"{typed} has the value {twice[0]!r} twice", hint="remove one")
    return values


def read_value(option: RunOption, value: Any) -> Any:
    """A value of an option, converted to its type.

    Parameters
    ----------
    value
        A word of the command line, or a value of a YAML file.

    Raises
    ------
    UsageError
        If it is of another type, or not one of the option's choices.
    """
    kind = option.kind
    if kind == "nested" or kind == "text":
        if isinstance(value, bool) and kind == "nested":  # YAML reads yes and no as booleans
            value = "yes" if value else "no"
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UsageError(f"{option.name} has the value {value!r}, which is not text")
        if option.choices and str(value) not in option.choices:
            choices = ", ".join(option.choices)
            raise UsageError(f"{option.name}={value} is not one of {choices}", hint=did_you_mean(str(value), option.choices))
        return str(value)
    if kind == "flag":
        found = value if isinstance(value, bool) else _WORDS.get(str(value).lower())
        if found is None:
            raise UsageError(f"{option.name}={value} is not yes or no")
        return found
    try:
        if isinstance(value, bool) or (kind == "integer" and isinstance(value, float)):
            raise ValueError
        return int(value) if kind == "integer" else float(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{option.name}={value} is not {'an integer' if kind == 'integer' else 'a number'}") from None


def read_axes(content: object, where: str) -> dict[str, tuple[Any, ...]]:
    """Options with their values, from an object; nested objects are joined by dots.

    Raises
    ------
    ConfigError
        If it is not an object.
    """
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} is not an object", hint="write OPTION: [VALUE, VALUE]")
    found: dict[str, tuple[Any, ...]] = {}
    for typed, value in flat(content).items():
        name = axis_name(typed)
        if name in found:
            raise UsageError(f"{where} names {name} twice", hint="remove one")
        found[name] = read_values(typed, value)
    return found


def flat(content: Mapping[str, Any], before: str = "") -> dict[str, object]:
    """Flatten nested objects; keys are joined by dots.

    >>> flat({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    found: dict[str, object] = {}
    for key, value in content.items():
        name = f"{before}{key}" if key else before.removesuffix(".")
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found
