"""Every module and action has help, and every example in it is a valid command."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.actions import catalogue
from ck_repo.cli import words as grammar
from ck_repo.cli.checking import checked_options, refuse_more_entries
from ck_repo.store.repositories import Repositories

Ck = Callable[..., Any]  # the fixture `ck`
MODULES = catalogue.module_names()
ACTIONS = [(module, word) for module in ["", *MODULES, "dataset"] for word in catalogue.actions_of(module)]


@pytest.mark.parametrize(("module", "word"), ACTIONS, ids=lambda text: text or "ck")
def test_action_help_has_usage_example_and_options(ck: Ck, module: str, word: str) -> None:
    if module == "dataset":
        ck("add", "dataset:x")
    done = ck(word, *([module] if module else []), "--help")
    assert (done.code, done.err) == (0, "")
    assert "\nusage: ck " in done.out
    assert "\nexample:\n  ck " in done.out
    action = catalogue.find_action(module, word)
    assert all(f"--{option.name}" in done.out and option.help in done.out for option in action.options)
    assert "--out=json" in done.out


@pytest.mark.parametrize("module", [*MODULES, "venv.template"])
@pytest.mark.parametrize("form", ["ck {} --help", "ck help {}", "ck {} -h"])
def test_module_help_lists_actions(ck: Ck, module: str, form: str) -> None:
    done = ck(*form.format(module).split()[1:])
    assert (done.code, done.err) == (0, "")
    assert "ck <action> " in done.out
    names = {action.name for action in catalogue.actions_of(catalogue.known_module(module, Repositories())).values()}
    assert all(f"\n  {name} " in done.out for name in names)


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_command_help_lists_modules(ck: Ck, words: list[str]) -> None:
    done = ck(*words)
    assert (done.code, done.err) == (0, "")
    assert "usage: ck <action> <module>[:<entry>]" in done.out
    assert all(f"\n  {module} " in done.out for module in MODULES)


@pytest.mark.parametrize(("module", "word"), [row for row in ACTIONS if row[0] != "dataset"], ids=lambda text: text or "ck")
def test_examples_are_valid_commands(module: str, word: str) -> None:
    action = catalogue.find_action(module, word)
    command = grammar.parse(shlex.split(action.example)[1:])
    where = catalogue.known_module(command.targets[0].module, Repositories(), creating=True) if command.targets else ""
    meant = catalogue.find_action(where, command.action)
    checked_options(command.options, meant, action.example)
    refuse_more_entries(meant, command.targets[1:], action.example)
    assert meant.name == action.name
