"""CK's grammar: parses the words of a command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ck_repo.actions.request import Target
from ck_repo.errors import ConfigError, UsageError
from ck_repo.store.plain_file import MAXIMUM, MISSING, UnreadableError, read_plain
from ck_repo.store.writing import merged

_OPTIONS_FILE = f"use a regular file of JSON or YAML, of at most {MAXIMUM >> 20} MiB"


@dataclass
class Words:
    """A parsed command line, not yet checked against the action."""

    action: str = ""
    targets: list[Target] = field(default_factory=list)
    options: dict[str, object] = field(default_factory=dict)
    rest: tuple[str, ...] = ()


def parse(words: Sequence[str]) -> Words:
    """Parse a command line.

    ``ck <action> <module>[:<entry>] [--key=value] [--flag] [key=value] [@file.json] [@file.yaml] [@@@{json}] [-- rest]``

    >>> parse(["ls", "local:venv:*", "--tags=a,b", "--env.N=1"]).options
    {'tags': 'a,b', 'env': {'N': '1'}}
    """
    result = Words()
    for position, word in enumerate(words):
        if word == "--":
            result.rest = tuple(words[position + 1 :])
            break
        if word.startswith("@@@"):
            _merge(result.options, _object(word[3:], "the JSON after @@@"))
        elif word.startswith("@"):
            _merge(result.options, _from_file(word[1:]))
        elif word in ("-h", "--help"):
            result.options["help"] = "yes"
        elif word.startswith("-"):
            key, equals, value = word.lstrip("-").partition("=")
            put(result.options, key, value if equals else "yes")
        elif "=" in word and result.action:
            key, _, value = word.partition("=")
            put(result.options, key, value)
        elif not result.action:
            result.action = word
        else:
            result.targets.append(target(word))
    return result


def target(word: str) -> Target:
    """Parse ``module``, ``module:entry`` or ``repository:module:entry``; ``all`` is every repository, as in `ck pull all`."""
    if word == "all":
        return Target("repo", "*")
    parts = word.split(":")
    if len(parts) == 1:
        return Target(module=parts[0])
    if len(parts) == 2:
        return Target(module=parts[0], entry=parts[1])
    if len(parts) == 3:
        return Target(repository=parts[0], module=parts[1], entry=parts[2])
    raise UsageError(f"{word!r} has too many colons", hint="write module:entry or repository:module:entry")


def put(options: dict[str, object], key: str, value: Any) -> None:
    """Set ``a.b.c`` in nested dicts; dashes in the first part become underscores."""
    head, *keys = key.split(".")
    path = [head.replace("-", "_"), *keys]
    if not all(path):
        raise UsageError(f"--{key} is not an option")
    row = options
    for part in path[:-1]:
        below_it = row.setdefault(part, {})
        if not isinstance(below_it, dict):  # a value and keys: only some options accept both, which is checked later
            below_it = row[part] = {"": below_it}
        row = below_it
    last = row.get(path[-1])
    if isinstance(last, dict):
        last[""] = value
    else:
        row[path[-1]] = value


def _merge(options: dict[str, object], more: dict[str, object]) -> None:
    for key, value in more.items():
        name = key.replace("-", "_")
        old = options.get(name)
        options[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value


def _object(text: str, what: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # a number with thousands of digits, or lists nested thousands deep
        raise UsageError(f"{what} cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{what} is not an object")
    return value


def _from_file(name: str) -> dict[str, object]:
    try:
        path = Path(name).resolve()  # the user may give a link
        text = read_plain(path.parent, path).decode()
    except UnreadableError as error:
        why = "there is no such file" if error.why == MISSING else f"it is {error.why}"
        raise UsageError(f"@{name} cannot be read: {why}", hint=_OPTIONS_FILE) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"@{name} cannot be read: it is not UTF-8 ({error.reason} at byte {error.start})") from None
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, or a name that is too long
        raise UsageError(f"@{name} cannot be read: {error}", hint=_OPTIONS_FILE) from None
    if not name.endswith((".yaml", ".yml")):
        return _object(text, name)
    from ck_repo.store.yaml_text import parse_yaml

    try:
        value = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"{name} is not YAML: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{name} is not a mapping")
    return {str(key): each for key, each in value.items()}
