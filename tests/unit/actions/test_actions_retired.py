"""Commands of CK without a counterpart name their replacement."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from ck_repo.actions import catalogue
from ck_repo.actions.retired import RETIRED, Retired, retired_action
from ck_repo.cli.checking import checked_options
from ck_repo.cli.words import parse
from ck_repo.store.modules import canonical_module
from ck_repo.store.repositories import Repositories

Ck = Callable[..., Any]  # the fixture `ck`


@pytest.mark.parametrize("row", RETIRED, ids=lambda row: row.command)
def test_none_of_our_commands_is_retired(row: Retired) -> None:
    known = canonical_module(row.module)
    assert row.module == known
    if known in catalogue.module_names() or not known:
        assert row.action not in catalogue.actions_of(known)


def test_each_command_is_listed_once() -> None:
    assert len({(row.action, row.module) for row in RETIRED}) == len(RETIRED)


@pytest.mark.parametrize("row", RETIRED, ids=lambda row: row.command)
def test_answers_name_existing_commands(row: Retired) -> None:
    for command in re.findall(r"`ck ([^`]+)`", row.answer):
        words = parse(command.split())
        if words.action == "help":
            continue
        module = catalogue.known_module(words.targets[0].module, Repositories()) if words.targets else ""
        action = catalogue.find_action(module, words.action)
        names = {option.name.replace("-", "_") for option in action.options}
        assert set(words.options) - {"out"} <= names, command


@pytest.mark.parametrize(
    "words",
    [
        ["setup", "kernel", "--var.install_to_env=yes"],
        ["set", "kernel", "var.install_to_env=no"],
        ["compile", "program:image-classification", "--speed", "--target_os=linux-64"],
        ["clean", "program:object-detection"],
    ],
)
def test_harmless_commands_succeed(ck: Ck, words: list[str]) -> None:
    done = ck(*words)
    assert (done.code, done.err) == (0, "")
    assert "nothing to" in done.out
    assert ck(*words, "--out=json").json["note"] in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["start", "web"], "there is no web interface"),
        (["display", "dashboard", "--scenario=mlperf"], "ck show experiment"),
        (["autotune", "pipeline:program", "@a.json"], "ck find performance"),
        (["get", "experiment:x"], "ck load experiment:NAME --out=json"),
        (["browser", "experiment"], "ck ls experiment"),
    ],
)
def test_unsupported_commands_name_alternative(
    ck: Ck, words: list[str], message: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text("{}")
    done = ck(*words)
    assert done.code == 16
    assert message in done.err


def test_help_has_example(ck: Ck) -> None:
    done = ck("start", "web", "--help")
    assert (done.code, done.err) == (0, "")
    assert "\nexample:\n  ck start web\n" in done.out


def test_other_commands_are_unaffected() -> None:
    assert retired_action("run", "program") is None
    assert retired_action("start", "program") is None


def test_option_without_effect_is_reported(ck: Ck) -> None:
    done = ck("explain", "program:object-detection", "--speed", "--skip_print_timers=no")
    assert "note: --speed has no effect: nothing is compiled" in done.err
    assert "skip_print_timers" not in done.err
    assert checked_options({"speed": "yes"}, catalogue.find_action("program", "run"), "run")["speed"] is True
