"""Stock CK's functions for names and dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from ck_repo.cli.words import target
from ck_repo.errors import CKError
from ck_repo.kernel.answer import Answer
from ck_repo.store import uid


def gen_uid(i: Mapping[str, Any] | None = None) -> Answer:
    """A new UID as ``data_uid``."""
    return {"return": 0, "data_uid": uid.new_uid()}


def is_uid(s: str) -> bool:
    """Whether a text is a UID: 16 hexadecimal digits."""
    return uid.is_uid(s)


def is_uoa(s: str) -> bool:
    """Whether a text can be an alias or a UID: it has no wildcard and no symbol for the current entry."""
    return not set(s) & set("*?#^")


def get_from_dicts(
    dict1: MutableMapping[str, Any],
    key: str,
    default_value: Any,
    dict2: MutableMapping[str, Any] | None,
    extra: str = "",
) -> Any:
    """A value of `dict1`, moved to `dict2` with `extra` before its name; if `dict1` lacks it, that of `dict2`."""
    if key not in dict1:
        return default_value if dict2 is None else dict2.get(extra + key, default_value)
    value = dict1.pop(key)
    if dict2 is not None:
        dict2[extra + key] = value
    return value


def merge_dicts(i: Mapping[str, Any]) -> Answer:
    """Merge ``dict2`` into ``dict1`` recursively; with ``append_lists`` lists are extended, else replaced."""
    _merge(i["dict1"], i["dict2"], append=i.get("append_lists") == "yes")
    return {"return": 0, "dict1": i["dict1"]}


def _merge(into: MutableMapping[str, Any], more: Mapping[str, Any], *, append: bool) -> None:
    for key, value in more.items():
        old = into.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            _merge(old, value, append=append)
        elif isinstance(value, list):
            into[key] = [*(old if append and isinstance(old, list) else ()), *value]
        else:
            into[key] = value


def parse_cid(i: Mapping[str, Any]) -> Answer:
    """The parts of ``cid`` (``module:entry`` or ``repository:module:entry``); with ``ignore_error`` an invalid one has none."""
    try:
        found = target(str(i["cid"]).strip())
    except CKError as error:
        return {"return": 0} if i.get("ignore_error") == "yes" else {"return": error.code, "error": str(error)}
    if not found.entry:
        return {"return": 0} if i.get("ignore_error") == "yes" else {"return": 1, "error": f"{i['cid']!r} is not a valid name"}
    repository = {"repo_uoa": found.repository} if found.repository else {}
    return {"return": 0, **repository, "module_uoa": found.module, "data_uoa": found.entry}


def set_by_flat_key(i: Mapping[str, Any]) -> Answer:
    """Set ``value`` in ``dict`` at ``key``, a flat key: ``##a#b`` is a key of an object, ``##a@0`` an index of a list."""
    row: Any = i["dict"]
    steps = _steps(str(i["key"]))
    for number, step in enumerate(steps):
        if isinstance(step, int):
            row.extend([None] * (step + 1 - len(row)))
        if number == len(steps) - 1:
            row[step] = i.get("value")
            break
        old = row[step] if isinstance(step, int) else row.get(step)
        if not isinstance(old, dict | list):
            old = row[step] = [] if isinstance(steps[number + 1], int) else {}
        row = old
    return {"return": 0, "dict": i["dict"]}


def _steps(key: str) -> list[str | int]:
    """The steps of a flat key: names after #, indices after @."""
    if not key.startswith("#"):
        return [key]
    steps: list[str | int] = []
    for part in key.removeprefix("#").split("#")[1:]:
        name, *places = part.split("@")
        steps += [name, *map(int, places)]
    return steps
