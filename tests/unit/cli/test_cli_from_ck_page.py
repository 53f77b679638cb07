"""docs/from-ck.md names existing commands, variables and dependencies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ck_repo.actions import catalogue
from ck_repo.actions.retired import retired_action
from ck_repo.cli.words import parse
from ck_repo.errors import NotFoundError
from ck_repo.run import spellings
from ck_repo.stock.variables import KINDS, MODELS
from ck_repo.store.modules import canonical_module

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "from-ck.md").read_text(encoding="utf-8")
TYPED = sorted(
    {command for command in re.findall(r"`ck ([a-z_]+ [^`]*)`", PAGE) if "MODULE" not in command and "|" not in command}
)


@pytest.mark.parametrize("command", TYPED)
def test_command_exists_or_names_replacement(command: str) -> None:
    words = parse(re.sub(r"\[.*?\]|…", "", command).split())
    module = canonical_module(words.targets[0].module) if words.targets else ""
    if retired_action(words.action, module) is None:
        module = module or catalogue.only_module_with(words.action)
        action = catalogue.find_action(module, words.action)
        names = {"out", "quiet"}.union(
            name.replace("-", "_") for option in action.options for name in (option.name, *option.aliases)
        )
        assert set(words.options) <= names


def test_missing_command_is_detected() -> None:
    assert len(TYPED) > 40
    with pytest.raises(NotFoundError):
        test_command_exists_or_names_replacement("paint repo")


@pytest.mark.parametrize("name", spellings.VARIABLES)
def test_every_supported_variable_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE or f"`{name}=" in PAGE


@pytest.mark.parametrize("prefix", sorted({prefix for _, prefix in KINDS} | {prefix for prefix, _ in MODELS.values()}))
def test_every_prefix_is_on_the_page(prefix: str) -> None:
    assert f"`{prefix}`" in PAGE
