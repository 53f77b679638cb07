"""Completion for shells: ``ck _complete LINE``.

It runs at each press of the Tab key, so it imports as little as possible: `completion_table` writes a table of all commands,
and names of entries are names of folders. Only tags need the search index.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, TypedDict

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SOURCES = ("actions", "cli", "run", "rounds/data")  # folders whose files the table depends on
_OF_ENTRIES = {"venv": "venv", "template": "env_templates", "reference": "experiment"}  # option: module of its values
_REPOSITORIES = ("repo_uoa", "repo", "record_repo")
_TAGS = ("tags", "no_tags", "model", "dataset", "extra_tags")
_HIDDEN = "."


class OptionRow(TypedDict):
    """An option of the table."""

    name: str
    flag: bool
    choices: list[str]


class Table(TypedDict):
    """All commands: actions, and their options by module and action.

    `general` has the actions of the user's own modules, `kernel` those without a module, `common` the options of every action.
    """

    stamp: list[Any]
    actions: list[str]
    spellings: dict[str, str]
    modules: dict[str, dict[str, list[OptionRow]]]
    general: dict[str, list[OptionRow]]
    kernel: dict[str, list[OptionRow]]
    common: list[OptionRow]


def complete(line: str) -> list[str]:
    """The completions of the last word of a command line.

    Parameters
    ----------
    line
        The line from its beginning to the cursor.
    """
    words = line.split(" ")
    typed, last = [word for word in words[1:-1] if word], words[-1]
    table = read_table()
    if not typed:
        return _beginning(last, table["actions"])
    action = table["spellings"].get(typed[0], typed[0])
    module = next((word.split(":")[0] for word in typed[1:] if word[0] not in "-@"), "")
    if last.startswith("-"):
        return _options(last, table, action, module)
    if "--" in typed:
        return []
    modules = [name for name, actions in table["modules"].items() if action in actions]
    modules += [name for name in _modules_on_disk() if name not in table["modules"] and action in table["general"]]
    if ":" in last or last in modules:
        name, _, began = last.partition(":")
        return [f"{name}:{entry}" for entry in _beginning(began, _entries(name))]
    return _beginning(last, modules)


def _options(last: str, table: Table, action: str, module: str) -> list[str]:
    known = table["modules"].get(module, table["general"] if module else table["kernel"])
    options = {row["name"]: row for row in [*known.get(action, []), *table["common"]]}
    name, equals, began = last.lstrip("-").partition("=")
    if not equals:
        return _beginning(last, [f"--{row['name']}" + ("" if row["flag"] else "=") for row in options.values()])
    row = options.get(name, OptionRow(name=name, flag=False, choices=[]))
    before, comma, part = began.rpartition(",")
    values = _beginning(part, _values(row, module))
    return [f"--{name}={before}{comma}{value}" for value in values]


def _values(row: OptionRow, module: str) -> list[str]:
    """The completions of an option's value; none where the shell knows better, as for files."""
    name = row["name"]
    if row["choices"]:
        return row["choices"]
    if name in _REPOSITORIES:
        return [os.path.basename(folder) for folder in _repositories()]
    if name in _OF_ENTRIES:
        return _entries(_OF_ENTRIES[name])
    if name in _TAGS:
        return _tags("package" if name in ("model", "dataset") else module or "package")
    return []


def _beginning(began: str, names: list[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(began)})


def _root(variable: str, usual: str) -> str:
    return os.path.expanduser(os.environ.get(variable) or usual)


def _repositories() -> list[str]:
    """Folders of repositories: those in CK_REPOS, ours, and registered ones."""
    root, inside = _root("CK_REPOS", "~/CK"), os.path.join(_HERE, "default_repository")
    found = [inside if os.path.isdir(inside) else os.path.dirname(_HERE)]
    found += [path for path in _folders(root) if os.path.isfile(os.path.join(path, ".ckr.json"))]
    for path in _folders(os.path.join(root, "local", "repo")):
        try:
            with open(os.path.join(path, ".cm", "meta.json"), encoding="utf-8") as file:
                place = str(json.load(file).get("path") or "")
        except (OSError, ValueError, AttributeError):  # AttributeError: it is not an object
            continue
        if place and place not in found:
            found.append(place)
    return found


def _folders(parent: str) -> Iterator[str]:
    try:
        with os.scandir(parent) as rows:
            yield from (row.path for row in rows if not row.name.startswith(_HIDDEN) and row.is_dir())
    except OSError:
        return


def _modules_on_disk() -> list[str]:
    return [
        os.path.basename(folder)
        for repository in _repositories()
        for folder in _folders(repository)
        if os.path.isdir(os.path.join(folder, ".cm"))
    ]


def _entries(module: str) -> list[str]:
    """Names of entries, if they are printable."""
    return [
        os.path.basename(folder)
        for repository in _repositories()
        for folder in _folders(os.path.join(repository, module))
        if os.path.basename(folder).isprintable() and " " not in os.path.basename(folder)
    ]


def _tags(module: str) -> list[str]:
    from ck_repo.store.repositories import Repositories
    from ck_repo.store.search import known_tags

    return [tag for tag in known_tags(Repositories(), module) if tag.isprintable()]


def read_table() -> Table:
    """The table of commands and options; it is written again when ck has changed."""
    path = os.path.join(_root("CK_TOOLS", "~/CK-TOOLS"), ".cache", "completion.json")
    stamp = _stamp()
    try:
        with open(path, encoding="utf-8") as file:
            found: Table = json.load(file)
        if found["stamp"] == stamp:
            return found
    except (OSError, ValueError, KeyError, TypeError):
        pass
    from ck_repo.cli.completion_table import completion_table, keep

    table = completion_table(stamp)
    keep(path, table)
    return table


def _stamp() -> list[Any]:
    """Identifies the installed version of ck in a table."""
    changed = 0
    for name in _SOURCES:
        with os.scandir(os.path.join(_HERE, name)) as rows:
            changed = max(changed, *(row.stat().st_mtime_ns for row in rows))
    return [_HERE, changed]


def main(words: list[str]) -> int:
    """Print one candidate on each line; errors never disturb the shell."""
    try:
        found = complete(words[0] if words else "")
        os.write(1, "".join(f"{word}\n" for word in found).encode(errors="backslashreplace"))
    except Exception:
        return 1
    return 0
