"""The table of actions, modules and options for completion."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ck_repo.actions import catalogue
from ck_repo.actions.declare import Action, Actions, Option
from ck_repo.cli.checking import COMMON
from ck_repo.cli.complete import OptionRow, Table


def completion_table(stamp: list[Any]) -> Table:
    """Actions by module with their options, including general ones and those without a module."""
    modules = {name: _actions(catalogue.actions_of(name)) for name in catalogue.module_names()}
    general, kernel = _actions(catalogue.actions_of("any module")), _actions(catalogue.actions_of(""))
    spellings = catalogue.all_spellings()
    names = {*general, *kernel, *(action for actions in modules.values() for action in actions), "help"}
    return {
        "actions": sorted(names), "modules": modules, "general": general, "kernel": kernel, "spellings": spellings,
        "common": [_option(option) for option in COMMON], "stamp": stamp,
    }  # fmt: skip


def _actions(actions: Actions) -> dict[str, list[OptionRow]]:
    return {name: _options(row) for name, row in actions.items()}


def _options(action: Action) -> list[OptionRow]:
    return [_option(option) for option in action.options if not option.unused]


def _option(option: Option) -> OptionRow:
    return {"name": option.name, "flag": option.kind == "flag", "choices": list(option.allowed())}


def keep(path: str, table: Table) -> None:
    """Write a table; where that is impossible, it is computed on each use."""
    from ck_repo.store.atomic import write_bytes

    with suppress(Exception):
        write_bytes(Path(os.path.abspath(path)), json.dumps(table, separators=(",", ":")).encode())
