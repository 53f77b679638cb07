"""Modules and their actions: which exist, and that a verb means the same in all its spellings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.actions import catalogue
from ck_repo.actions.request import Request, Target
from ck_repo.errors import NotFoundError, UsageError
from ck_repo.store.repositories import Repositories

Ck = Callable[..., Any]  # the fixture `ck`


SPELLINGS = ["ls list", "rm remove delete del", "cp copy", "mv move", "ren rename", "zip pack", "unzip unpack", "load cat",
             "find where locate", "run benchmark"]  # fmt: skip


@pytest.mark.parametrize("spellings", SPELLINGS)
def test_verb_aliases_work_in_every_module(spellings: str) -> None:
    for module in [*catalogue.module_names(), "dataset"]:
        first, *others = spellings.split()
        if first in catalogue.actions_of(module):
            run = catalogue.find_action(module, first).run
            others = [word for word in others if word not in catalogue.actions_of(module)]
            assert all(catalogue.find_action(module, word).run is run for word in others), module


def test_own_action_takes_precedence_over_alias() -> None:
    assert catalogue.find_action("env", "cat").name == "cat"
    assert catalogue.find_action("package", "cat").name == "load"
    assert catalogue.find_action("submission", "reproduce").name == "reproduce"
    assert {catalogue.find_action("experiment", word).name for word in ("replay", "reproduce", "rerun")} == {"replay"}
    assert (catalogue.only_module_with("reproduce"), catalogue.only_module_with("rerun")) == ("submission", "experiment")


@pytest.mark.parametrize(
    ("module", "word"),
    [
        ("repo", "pull"), ("venv", "create"), ("venv", "activate"), ("soft", "detect"), ("platform.os", "detect"),
        ("package", "install"), ("env", "show"), ("env", "locate"), ("env", "cat"), ("program", "run"),
        ("program", "benchmark"), ("experiment", "find"), ("experiment", "zip"), ("repo", "unzip"),
    ],
)  # fmt: skip
def test_common_commands_exist(module: str, word: str) -> None:
    assert catalogue.find_action(module, word).example.startswith("ck ")


@pytest.mark.parametrize(
    ("typed", "module"), [("venv.template", "env_templates"), ("7ed17cb445bb5f69", "venv"), ("soft", "soft")]
)
def test_module_by_alias_or_uid(typed: str, module: str) -> None:
    assert catalogue.known_module(typed, Repositories()) == module


def test_user_module_has_general_actions(ck: Ck) -> None:
    with pytest.raises(NotFoundError, match="there is no module 'picture'"):
        catalogue.known_module("picture", Repositories())
    ck("add", "picture:a")
    assert catalogue.known_module("picture", Repositories()) == "picture"
    assert "search" in catalogue.actions_of("picture")


def test_request_returns_values_or_defaults() -> None:
    options = {"tags": "a", "n": 3, "x": 0.5, "quiet": True, "env": {"A": "1"}, "repo_uoa": "other"}
    request = Request("do", Target("dataset", "a"), options=options)
    assert (request.text("tags"), request.text("none", "d"), request.flag("quiet"), request.flag("none")) == (
        "a",
        "d",
        True,
        False,
    )
    assert (request.integer("n"), request.number("x"), request.integer("none"), request.number("none")) == (3, 0.5, None, None)
    assert (request.nested("env"), request.nested("none")) == ({"A": "1"}, {})
    assert (request.repository, request.with_module("x").entry) == ("other", "a")
    assert Request("do", Target("dataset", "a", "mine"), options=options).repository == "mine"
    with pytest.raises(UsageError, match="`ck do dataset:a` needs --zip=\nname it"):
        request.needed("zip", "name it")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("run object-detection", "ck run program:object-detection"),
        ("run object_detection --help", "ck run program:object-detection"),
        ("install model-demo-ssd", "ck install package:model-demo-ssd"),
        ("detect model.onnx", "ck detect soft:model.onnx"),
    ],
)
def test_entry_of_unknown_module_is_redirected(ck: Ck, words: str, meant: str) -> None:
    done = ck(*words.split())
    assert done.code == 16
    assert f"did you mean `{meant}`?" in done.err
