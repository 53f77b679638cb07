"""What a foreign repository may do, and what a removal or a move may lose."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.environment.venv import find_venv
from ck_repo.errors import ConfigError, UntrustedError
from ck_repo.resolve.component import read_component
from ck_repo.run.options import RunOptions
from ck_repo.run.pipeline import execute
from ck_repo.run.prepare import prepare
from ck_repo.session import Session
from ck_repo.store import writing
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load

Ck = Callable[..., dict[str, Any]]


@pytest.fixture
def foreign() -> Repositories:
    """Repositories, including a foreign one."""
    repositories = Repositories()
    repositories.add("theirs")
    return repositories


def test_foreign_program_needs_trust(foreign: Repositories) -> None:
    ours = load(foreign, "program", "object-detection")
    copy = writing.copy_entry(ours, foreign.get("theirs"), "program", "object-detection")
    plan = prepare(Session(foreign), load(foreign, "program", "object-detection", "theirs"), RunOptions())
    assert plan.program.entry.path == copy.path
    assert load(foreign, "program", "object-detection").path != copy.path  # ours comes first
    with pytest.raises(UntrustedError, match="refused to run code of another repository: program"):
        execute(Session(foreign), plan)


def test_foreign_venv_is_not_used(foreign: Repositories) -> None:
    writing.create_entry(foreign.get("theirs"), "venv", "mlperf-inference", {"template": "x", "python_version": "3.11.0"})
    assert find_venv(Session(foreign), "mlperf-inference") is None


@pytest.mark.parametrize("name", ["--index-url=http://x", "evil @ file:///tmp/evil", "-r x", "a b"])
def test_recipe_python_package_must_be_a_plain_name(foreign: Repositories, name: str) -> None:
    meta = {"tags": ["x"], "python_package": {"name": name}}
    entry = writing.create_entry(foreign.get("theirs"), "package", "evil", meta)
    with pytest.raises(ConfigError, match="not the name of a Python package"):
        read_component(entry)


def test_foreign_python_package_needs_trust(foreign: Repositories, ck: Ck, venv: Entry) -> None:
    meta = {"tags": ["their-lib"], "python_package": {"name": "their-lib"}}
    writing.create_entry(foreign.get("theirs"), "package", "their-lib", meta)
    answer = ck("install", "package", "--tags=their-lib")
    assert answer["return"] == 6
    assert "--trust" in answer["error"]


@pytest.mark.parametrize("name", [".git", ".git/config", "dataset/a/.git"])
def test_archive_with_git_settings_is_rejected(tmp_path: Path, ck_home: Path, ck: Ck, name: str) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(".ckr.json", json.dumps({"data_alias": "bad", "data_uid": "0123456789abcdef", "dict": {}}))
        file.writestr(name, "gitdir: ./g")
    answer = ck("unzip", "repo", f"--zip={archive}")
    assert answer["return"] == 5
    assert "is refused" in answer["error"]
    assert not (ck_home / "CK/bad").exists()


def test_rm_of_registered_repository_keeps_folder(ck: Ck, tmp_path: Path) -> None:
    made = ck("add", "repo:far", f"--path={tmp_path / 'far'}")
    assert ck("rm", f"repo:{made['data_uid']}")["return"] == 0
    assert (tmp_path / "far/.ckr.json").exists()


def test_rm_of_ambiguous_name_asks_which(ck: Ck) -> None:
    ck("add", "repo:other")
    for repository in ("local", "other"):
        ck("add", f"{repository}:dataset:a", "--tags=x")
    assert ck("rm", "dataset:a")["return"] == 4
    assert ck("rm", "other:dataset:a")["return"] == 0
    assert len(ck("ls", "dataset")["lst"]) == 1


def test_old_uid_does_not_find_new_entry_of_same_name(ck: Ck, ck_home: Path) -> None:
    old = ck("add", "dataset:a", "--tags=x")["data_uid"]
    shutil.rmtree(ck_home / "CK/local/dataset/a")
    ck("add", "dataset:a", "--tags=y")
    assert ck("find", f"dataset:{old}")["return"] == 16


def test_ren_does_not_move(ck: Ck) -> None:
    ck("add", "dataset:a", "--tags=x")
    assert ck("ren", "dataset:a", "soft:b")["return"] == 2
    assert ck("ren", "dataset:a", "b")["data_uoa"] == "b"
