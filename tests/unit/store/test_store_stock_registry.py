"""Repositories that this command adds, pulls or removes are known to stock CK in the same store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.errors import CKError
from ck_repo.store import git
from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories

SERVER = "00000000000000b1"


def cache() -> tuple[dict[str, str], dict[str, Any]]:
    """The two files that stock CK reads: UIDs by alias, descriptions by UID."""
    local = repos_root() / "local"
    names = (".ck.cache_repo_uoa.json", ".ck.cache_repo_info.json")
    uids, rows = (json.loads((local / name).read_text()) for name in names)
    return uids, rows


@pytest.fixture
def stock_cache(ck_home: Path) -> Path:
    """The cache as stock CK leaves it: a server whose UID sorts last."""
    local = Repositories().writable().path
    (local / ".ck.cache_repo_uoa.json").write_text(json.dumps({"server": SERVER}))
    row = {"data_uid": SERVER, "data_uoa": "server", "dict": {"remote": "yes"}}
    (local / ".ck.cache_repo_info.json").write_text(json.dumps({SERVER: row}))
    return local


def test_new_repository_is_appended_and_removed_again(stock_cache: Path) -> None:
    row = Repositories().add("mine")
    uids, rows = cache()
    assert uids == {"server": SERVER, "mine": row.uid}
    assert list(rows) == [SERVER, row.uid]  # stock CK searches in this order
    assert rows[row.uid]["dict"]["path"] == str(row.path)
    assert (rows[row.uid]["data_uoa"], rows[row.uid]["data_uid"]) == ("mine", row.uid)
    assert json.loads((Path(rows[row.uid]["path_to_repo_desc"]) / ".cm" / "meta.json").read_text())["path"] == str(row.path)
    Repositories().remove("mine")
    assert list(cache()[0]) == ["server"]
    assert list(cache()[1]) == [SERVER]


def test_external_folder_keeps_its_given_name(ck_home: Path, tmp_path: Path) -> None:
    row = Repositories().add("mine", tmp_path / "x")
    uids, rows = cache()
    assert rows[uids["mine"]]["dict"]["path"] == str(tmp_path / "x")
    assert uids["mine"] == row.uid


def test_two_repositories_with_one_uid_are_separate(ck_home: Path, tmp_path: Path) -> None:
    first = Repositories().add("first", tmp_path / "x")
    shutil.copytree(tmp_path / "x", tmp_path / "y")
    Repositories().add("second", tmp_path / "y")
    uids, rows = cache()
    assert uids["first"] == first.uid != uids["second"]
    assert [rows[uids[name]]["dict"]["path"] for name in ("first", "second")] == [str(tmp_path / "x"), str(tmp_path / "y")]


def test_unreadable_cache_is_rewritten(stock_cache: Path) -> None:
    for name in (".ck.cache_repo_uoa.json", ".ck.cache_repo_info.json"):
        (stock_cache / name).write_text("{")
    row = Repositories().add("mine")
    assert cache()[0] == {"mine": row.uid}


def test_pulled_repository_is_registered_with_origin(upstream: Callable[..., Any]) -> None:
    there = upstream("mine")
    there.commit("a")
    git.pull(Repositories(), "team@tools", there.url)
    uids, rows = cache()
    assert rows[uids["team@tools"]]["dict"] | {"repo_deps": []} == {
        "path": str(repos_root() / "team@tools"), "shared": "git", "url": there.url, "repo_deps": [],
    }  # fmt: skip


def test_next_pull_registers_unregistered_clone(upstream: Callable[..., Any]) -> None:
    there = upstream("mine")
    there.commit("a")
    git.pull(Repositories(), "mine", there.url)
    shutil.rmtree(repos_root() / "local")
    git.pull(Repositories(), "mine")
    uids, rows = cache()
    assert rows[uids["mine"]]["dict"]["url"] == there.url


def test_unregistrable_repository_is_removed(stock_cache: Path) -> None:
    (stock_cache / "repo").write_text("")  # the folder of the registrations
    with pytest.raises(CKError):
        Repositories().add("mine")
    assert not (repos_root() / "mine").exists()
