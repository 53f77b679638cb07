"""Required and excluded tags, wildcards, modules by name, folders by variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from ck_repo.store.folders import repos_root, tools_root
from ck_repo.store.modules import canonical_module, module_uid
from ck_repo.store.query import TagQuery


@pytest.mark.parametrize(
    ("query", "tags", "matches"),
    [
        ("", "a", True),
        ("a", "a,b", True),
        ("a,b", "b,a", True),
        ("a,b", "a", False),
        ("a,-b", "a", True),
        ("a,-b", "a,b", False),
        ("-b", "a", True),
        (" a , ,b", "a,b,c", True),
    ],
)
def test_required_and_excluded_tags(query: str, tags: str, matches: bool) -> None:
    assert TagQuery.parse(query).matches(tags.split(",")) is matches


@pytest.mark.parametrize(
    ("name", "uid"),  # used by the alias files of public repositories
    [
        ("module", "032630d041b4fd8a"),
        ("soft", "5e1100048ab875d7"),
        ("package", "1dc07ee0f4742028"),
        ("env_templates", "00437f87b26fd015"),
        ("venv", "7ed17cb445bb5f69"),
    ],
)
def test_stock_modules_have_public_uids(name: str, uid: str) -> None:
    assert module_uid(name) == uid
    assert canonical_module(uid) == name


def test_module_aliases() -> None:
    assert canonical_module("venv.template") == "env_templates"
    assert canonical_module("mine") == "mine"
    assert module_uid("mine") == module_uid("mine") != module_uid("yours")


def test_folders_default_to_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CK_TOOLS", "~/tools")
    monkeypatch.delenv("CK_REPOS")
    assert repos_root() == tmp_path / "CK"
    assert tools_root() == tmp_path / "tools"
