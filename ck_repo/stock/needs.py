"""Convert stock CK's `deps` to our dependencies."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from ck_repo.store.entry import tag_list
from ck_repo.store.fields import Fields

# dependencies that only serve the environment of an install script, which our steps do not need
_TOOLS = frozenset({"compiler", "tool", "utils", "platform", "plugin"})
_HOST_TAGS = {"linux": {"linux"}, "darwin": {"macos", "linux"}, "win32": {"windows"}}


def host_tags() -> set[str]:
    """Stock CK's tags for this operating system."""
    return _HOST_TAGS.get(sys.platform, {sys.platform})


def for_this_system(fields: Fields) -> bool:
    """Whether a package or dependency is for this operating system; no list means every one."""
    return all(
        not (wanted := fields.tags(key)) or not host_tags().isdisjoint(wanted)
        for key in ("only_for_host_os_tags", "only_for_target_os_tags")
    )


def needs(
    rows: Mapping[str, Fields], env: Mapping[str, str], *, only_python: bool, used: Iterable[str] = ()
) -> tuple[dict[str, dict[str, object]], list[str]]:
    """The dependencies of our steps, and remarks on the others.

    Parameters
    ----------
    rows
        Stock CK's dependencies, by key.
    env
        Variables of the install script, for conditions of dependencies.
    only_python
        Whether only Python packages matter, as for pip: a wheel needs neither compilers nor libraries.
    used
        Keys of dependencies whose files the steps use.
    """
    found: dict[str, dict[str, object]] = {}
    remarks: list[str] = []
    for key, row in rows.items():
        if not for_this_system(row) or not _enabled(row, env):
            continue
        tags = [*row.tags(), *_added_tags(row, env), *(f"-{tag}" for tag in row.tags("no_tags"))]
        if key not in used and (_TOOLS.intersection(tags) or (only_python and "python-package" not in tags)):
            if not {"compiler", "python"} <= set(tags):
                remarks.append(f"its dependency {key} ({','.join(tags)}) is only for the install script, and is ignored")
            continue
        choices = [group for group in row.text("or_tags").split(";") if group]
        if len(choices) == 1:
            tags += tag_list(choices[0])
        elif choices:
            remarks.append(f"or_tags of its dependency {key} is ignored")
        found[key] = {"tags": tags} | ({"version": wanted} if (wanted := _range(row)) else {})
    return found, remarks


def _enabled(row: Fields, env: Mapping[str, str]) -> bool:
    conditions = row.as_dict()
    if conditions.get("enable_if_env"):
        return _holds(row, "enable_if_env", env)
    return not (conditions.get("disable_if_env") and _holds(row, "disable_if_env", env))


def _added_tags(row: Fields, env: Mapping[str, str]) -> list[str]:
    conditions = row.fields("update_tags_if_env")
    return [tag for word in conditions.as_dict() if _holds(conditions, word, env) for tag in tag_list(word)]


def _holds(fields: Fields, key: str, env: Mapping[str, str]) -> bool:
    """Whether one of a list of conditions is true: each lists variables with their allowed values."""
    value = fields.as_dict()[key]
    listed = value if isinstance(value, list) else [value]
    groups = [group for group in listed if isinstance(group, Mapping)]
    if len(groups) < len(listed):
        raise fields.error(key, value, "a list of objects")
    return any(all(env.get(name, "") in _values(wanted) for name, wanted in group.items()) for group in groups)


def _values(wanted: Any) -> list[str]:
    return [str(each) for each in (wanted if isinstance(wanted, list) else [wanted])]


def _range(row: Fields) -> str:
    """The PEP 440 range of ``version_from: [1, 2]`` and ``version_to``."""
    parts = []
    for key, operator in (("version_from", ">="), ("version_to", "<=")):
        value = row.as_dict().get(key) or []
        words = value if isinstance(value, list) else [value]
        if not all(isinstance(word, int | str) and str(word).isdigit() for word in words):
            raise row.error(key, value, "a list of integers")
        if words:
            parts.append(operator + ".".join(str(word) for word in words))
    return ",".join(parts)
