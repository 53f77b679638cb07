"""Experiments shared by git: two people add theirs and never conflict."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ck_repo.errors import GitError, NotFoundError, OfflineError, UsageError
from ck_repo.store import git
from ck_repo.store.folders import default_repository_root
from ck_repo.store.git_command import run_git
from ck_repo.store.git_state import commit_of
from ck_repo.store.repositories import Repositories
from ck_repo.store.repository import Repository
from ck_repo.store.search import find
from ck_repo.store.writing import create_entry


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty remote repository to push to; git has no user name."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", tmp_path / "hub.git"], check=True)
    return str(tmp_path / "hub.git")


def person(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repositories:
    """The CK folders of one person."""
    monkeypatch.setenv("CK_REPOS", str(tmp_path / name))
    return Repositories()


def experiment(repositories: Repositories, alias: str) -> None:
    create_entry(repositories.writable("shared"), "experiment", alias, {"tags": ["experiment", alias]})


def row(repositories: Repositories) -> Repository:
    return repositories.get("shared")


def test_concurrent_experiments_never_conflict(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = person("anna", tmp_path, monkeypatch)
    anna.add("shared")
    experiment(anna, "first")
    assert git.push(row(anna), hub).startswith("committed ")

    ben = person("ben", tmp_path, monkeypatch)
    git.pull(ben, "shared", hub)
    experiment(ben, "of-ben")
    git.push(row(ben))

    anna = person("anna", tmp_path, monkeypatch)
    experiment(anna, "of-anna")
    git.push(row(anna), message="mine")  # ben pushed first: his is merged
    assert sorted(entry.alias for entry in find(anna, "experiment")) == ["first", "of-anna", "of-ben"]

    ben = person("ben", tmp_path, monkeypatch)
    git.pull(ben, "shared")
    assert sorted(entry.alias for entry in find(ben, "experiment")) == ["first", "of-anna", "of-ben"]


def test_no_commit_without_changes(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = person("anna", tmp_path, monkeypatch)
    anna.add("shared")
    git.push(row(anna), hub)
    commit = commit_of(row(anna).path)
    assert git.push(row(anna)) == f"pushed to {hub} at {commit}"


def test_unfinished_and_local_entries_stay_here(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = person("anna", tmp_path, monkeypatch)
    anna.add("shared")
    experiment(anna, "first")
    for name in ("experiment/.run-1/x", "experiment/.failed-2/x", "env/e/.cm/meta.json", "venv/v/x"):
        path = row(anna).path / name
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    git.push(row(anna), hub)
    listed = run_git("ls-files", folder=row(anna).path).splitlines()
    assert [name for name in listed if "experiment/first" in name]
    assert not [name for name in listed if name.startswith(("env/", "venv/")) or "/." in name.replace("/.cm/", "/")]


def test_file_changed_on_both_sides_is_reported_and_kept(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = person("anna", tmp_path, monkeypatch)
    anna.add("shared")
    (row(anna).path / "notes").write_text("a")
    git.push(row(anna), hub)
    ben = person("ben", tmp_path, monkeypatch)
    git.pull(ben, "shared", hub)
    (row(ben).path / "notes").write_text("ben's")
    git.push(row(ben))
    anna = person("anna", tmp_path, monkeypatch)
    (row(anna).path / "notes").write_text("anna's")
    with pytest.raises(GitError) as error:
        git.push(row(anna))
    assert "merge by hand" in error.value.hint
    assert (row(anna).path / "notes").read_text() == "anna's"
    assert not (row(anna).path / ".git/MERGE_HEAD").exists()


def test_repository_without_git_or_remote_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: str) -> None:
    anna = person("anna", tmp_path, monkeypatch)
    anna.add("shared")
    with pytest.raises(UsageError) as error:
        git.push(row(anna))
    assert "ck push repo:shared --url=URL" in error.value.hint
    run_git("init", "--quiet", folder=row(anna).path)
    with pytest.raises(UsageError, match="has no remote"):
        git.push(row(anna))
    with pytest.raises(UsageError, match="is not a URL"):
        git.push(row(anna), "--upload-pack=evil")


def test_our_components_are_not_pushed() -> None:
    ours = next(row for row in Repositories().all() if row.path == default_repository_root())
    with pytest.raises(UsageError, match="comes with ck"):
        git.push(ours, "https://nowhere.invalid")


def test_nothing_is_pulled_or_pushed_offline(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = person("anna", tmp_path, monkeypatch)
    anna.add("shared")
    monkeypatch.setenv("CK_OFFLINE", "1")
    with pytest.raises(OfflineError, match="--offline disables the network"):
        git.push(row(anna), "https://nowhere.invalid/x.git")
    with pytest.raises(OfflineError, match="the repository x at"):
        git.pull(anna, "x", "https://nowhere.invalid/x.git")
    git.push(row(anna), hub)  # a local folder needs no network
    assert json.loads((row(anna).path / ".ckr.json").read_text())["data_alias"] == "shared"


def test_bare_repository_without_default_branch_is_cloned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`git init --bare` makes master the default branch, and `ck push` fills main."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    hub = tmp_path / "hub.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "master", hub], check=True)
    ben = person("ben", tmp_path, monkeypatch)
    with pytest.raises(NotFoundError, match="is empty"):
        git.pull(ben, "shared", str(hub))
    anna = person("anna", tmp_path, monkeypatch)
    anna.add("shared")
    experiment(anna, "first")
    git.push(row(anna), str(hub))
    ben = person("ben", tmp_path, monkeypatch)
    git.pull(ben, "shared", str(hub))
    assert [entry.alias for entry in find(ben, "experiment")] == ["first"]
    anna = person("anna", tmp_path, monkeypatch)
    experiment(anna, "second")
    git.push(row(anna))
    ben = person("ben", tmp_path, monkeypatch)
    git.pull(ben, "shared")
    assert [entry.alias for entry in find(ben, "experiment")] == ["first", "second"]
