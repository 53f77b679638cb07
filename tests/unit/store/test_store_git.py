"""Repositories are pulled by git, stay at their pin, and nothing in them runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.cli.main import main
from ck_repo.errors import CKError, ConflictError, StorageError, UsageError
from ck_repo.store import git, git_state
from ck_repo.store.folders import repos_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find

New = Callable[..., Any]  # the fixture `upstream`


def _pull(name: str = "", url: str = "", checkout: str = "") -> list[str]:
    pulled = git.pull(Repositories(), name, url, checkout)
    assert not pulled.failed
    return [f"{row.alias}: {did}" for row, did in pulled.done]


def _listed() -> list[str]:
    """The content of CK_REPOS besides registrations and locks."""
    names = {path.name for path in repos_root().iterdir()} if repos_root().is_dir() else set()
    return sorted(names - {"local", ".locks", ".pending"})


def test_pulled_entries_are_found(upstream: New) -> None:
    there = upstream("mine")
    commit = there.commit("dataset/a/.cm/meta.json", '{"tags": ["x"]}')
    there.commit("dataset/.cm/alias-a-a", "0123456789abcdef\n")
    commit = there.git("rev-parse", "--short=12", "HEAD")
    assert _pull(url=there.url) == [f"mine: cloned at {commit}"]
    assert [entry.repository for entry in find(Repositories(), "dataset", tags="x")] == ["mine"]


def test_second_pull_fetches_changes(upstream: New) -> None:
    there = upstream("mine")
    old = there.commit("a")
    there.git("clone", "--quiet", "--bare", ".", f"{there.url}.git")
    assert _pull("any-name", f"{there.url}.git") == [f"any-name: cloned at {old}"]
    assert _pull("any-name") == [f"any-name: up to date at {old}"]
    new = there.commit("b")
    there.git("push", "--quiet", f"{there.url}.git", "main")
    assert _pull("any-name") == [f"any-name: updated from {old} to {new}"]
    assert (repos_root() / "any-name" / "b").exists()


def test_pinned_repository_stays_until_repinned(upstream: New) -> None:
    there = upstream("mine")
    old = there.commit("a")
    new = there.commit("b")
    assert _pull(url=there.url, checkout=old) == [f"mine: cloned at {old}"]
    assert _pull("mine") == [f"mine: pinned at {old}"]
    assert not (repos_root() / "mine" / "b").exists()
    _pull("mine", checkout="main")
    assert git_state.commit_of(repos_root() / "mine") == new


def test_branch_and_tag_can_be_checked_out(upstream: New) -> None:
    there = upstream("mine")
    there.git("checkout", "--quiet", "-b", "other")
    commit = there.commit("on-other")
    there.git("tag", "v1")
    there.git("checkout", "--quiet", "main")
    assert _pull(url=there.url, checkout="other") == [f"mine: cloned at {commit}"]
    there.git("checkout", "--quiet", "other")
    newer = there.commit("newer")
    assert _pull("mine") == [f"mine: updated from {commit} to {newer}"]
    assert _pull("mine", checkout="v1") == [f"mine: pinned at {commit}"]


def test_required_repositories_are_pulled_too(upstream: New) -> None:
    below = upstream("below")
    middle = upstream("middle", ("below", below.url))
    top = upstream("top", ("", middle.url), ("local", ""))
    assert [line.split(":")[0] for line in _pull(url=top.url)] == ["top", "middle", "local", "below"]
    assert _listed() == ["below", "middle", "top"]


def test_mutually_dependent_repositories_are_pulled_once(upstream: New, tmp_path: Path) -> None:
    one = upstream("one", ("two", str(tmp_path / "elsewhere" / "two")))
    upstream("two", ("one", one.url), ("two", ""))
    assert [line.split(":")[0] for line in _pull(url=one.url)] == ["one", "two"]


@pytest.mark.parametrize(
    ("need", "error"),
    [
        (("../../out", "{}"), UsageError),
        (("ext", "ext::sh -c touch% {}"), UsageError),
        (("dash", "--upload-pack=touch {}"), UsageError),
    ],
    ids=["a name of dots", "a url that is a program", "a url that is an option"],
)
def test_malicious_dependency_is_rejected(upstream: New, tmp_path: Path, need: tuple[str, str], error: type[CKError]) -> None:
    marker = tmp_path / "marker"
    alias, url = need
    there = upstream("mine", (alias, url.format(marker)))
    pulled = git.pull(Repositories(), "", there.url)
    assert [(name, type(why)) for name, why in pulled.failed] == [(alias, error)]
    assert not marker.exists()
    assert _listed() == ["mine"]


@pytest.mark.parametrize(
    ("damage", "checkout", "message"),
    [
        (lambda there: there.git("rm", "--quiet", ".ckr.json"), "", r"is not a CK repository: it has no \.ckr\.json"),
        (lambda there: there.commit(".ckr.json", "{"), "", r"\.ckr\.json is not JSON"),
        (lambda there: None, "nonesuch", r"git checkout failed.*\n.*\n.*nonesuch"),
        (lambda there: None, "--orphan", "'--orphan' is not a branch, tag or commit"),
    ],
    ids=["no description", "spoilt description", "no such commit", "an option"],
)
def test_unusable_repository_is_reported_and_leaves_nothing(
    upstream: New, damage: Callable[[Any], object], checkout: str, message: str
) -> None:
    there = upstream("mine")
    damage(there)
    there.commit("more")
    with pytest.raises(CKError, match=message):
        _pull(url=there.url, checkout=checkout)
    assert _listed() == []


def test_existing_folder_is_kept(upstream: New) -> None:
    (repos_root() / "mine").mkdir(parents=True)
    (repos_root() / "mine" / "file").write_text("precious")
    with pytest.raises(ConflictError, match="mine already exists"):
        _pull(url=upstream("mine").url)
    assert (repos_root() / "mine" / "file").read_text() == "precious"


def test_missing_repository_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"git clone failed.*\n.*\n.*nowhere") as caught:
        _pull(url=str(tmp_path / "nowhere"))
    assert "does not exist" in str(caught.value)
    assert _listed() == []


def test_different_url_is_reported(upstream: New) -> None:
    _pull("mine", upstream("one").url)
    two = upstream("two")
    with pytest.raises(ConflictError, match="mine"):
        _pull("mine", two.url)


def test_user_changes_are_kept(upstream: New) -> None:
    there = upstream("mine")
    there.commit("a", "theirs")
    _pull(url=there.url)
    (repos_root() / "mine" / "a").write_text("mine")
    there.commit("a", "theirs again")
    with pytest.raises(StorageError, match="git merge failed"):
        _pull("mine")
    assert (repos_root() / "mine" / "a").read_text() == "mine"


def test_pulled_code_does_not_run(upstream: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "marker"
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    for name in ("post-checkout", "post-merge", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (hooks / name).chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(hooks.parent))  # git copies these into every clone
    there = upstream("mine")
    marker.unlink(missing_ok=True)
    code = f"open({str(marker)!r}, 'w')\n"
    for name in ("module/dataset/module.py", "dataset/a/customize.py", "setup.py", "dataset/.cm/hook.py"):
        (there.path / name).parent.mkdir(parents=True, exist_ok=True)
        (there.path / name).write_text(code)
    there.git("-c", "core.hooksPath=/dev/null", "add", "--all")
    there.git("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "code")
    _pull(url=there.url)
    there.git("-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--allow-empty", "-m", "more")
    assert (repos_root() / "mine" / ".git" / "hooks" / "post-merge").exists()
    _pull("mine")
    for words in (["ls"], ["ls", "dataset"], ["search", "--tags=x"]):
        assert main(words) == 0
    assert not marker.exists()


def test_git_variables_of_another_repository_are_ignored(upstream: New, monkeypatch: pytest.MonkeyPatch) -> None:
    there, other = upstream("mine"), upstream("other")
    other.commit("b")
    _pull(url=there.url)
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))  # as in a hook of `other`
    assert git_state.state_of(repos_root() / "mine").commit == there.git(f"--git-dir={there.path}/.git", "rev-parse", "HEAD")


def test_state_has_commit_and_changes(upstream: New, tmp_path: Path) -> None:
    there = upstream("mine")
    commit = there.git("rev-parse", "HEAD")
    assert git_state.state_of(there.path) == git_state.GitState(True, commit, False)
    (there.path / "new").write_text("")
    assert git_state.state_of(there.path) == git_state.GitState(True, commit, True)
    (there.path / "sub").mkdir()
    assert git_state.state_of(there.path / "sub") == git_state.state_of(tmp_path) == git_state.GitState()


def test_hint_without_git_names_alternative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StorageError, match=r"git is not installed\n.*ck unzip repo"):
        _pull("x", "https://example.org/x")


def test_pull_all_updates_every_repository(upstream: New, no_checkout: None, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [upstream("one"), upstream("two")]
    for row in rows:
        _pull(url=row.url)
        row.commit("new")
    Repositories().add("not-under-git")
    assert main(["pull", "all"]) == 0
    assert [line.split(" ")[:2] for line in capsys.readouterr().out.splitlines()] == [["one:", "updated"], ["two:", "updated"]]
    assert all((repos_root() / name / "new").exists() for name in ("one", "two"))


def test_pull_all_continues_after_failure(upstream: New, no_checkout: None, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = upstream("a-bad"), upstream("good")
    for row in (bad, good):
        _pull(url=row.url)
    good.commit("new")
    bad.path.rename(bad.path.with_name("gone"))
    assert main(["pull", "all"]) == 5
    message = capsys.readouterr().out.splitlines()
    assert (message[0].split(" ")[:2], message[-1]) == (["good:", "updated"], "not pulled: a-bad")
    assert (repos_root() / "good" / "new").exists()


def test_pull_name_is_kept_and_found_again(upstream: New, ck: Callable[..., Any]) -> None:
    there = upstream("venv")
    old = there.commit("a")
    assert _pull("octoml@venv", there.url) == [f"octoml@venv: cloned at {old}"]
    assert (repos_root() / "octoml@venv" / "a").exists()  # where stock CK puts it, too
    new = there.commit("b")
    assert _pull("octoml@venv") == [f"octoml@venv: updated from {old} to {new}"]
    assert _pull("venv") == [f"octoml@venv: up to date at {new}"]
    assert ck("find", "repo:venv").out == f"{repos_root() / 'octoml@venv'}\n"


def test_second_pull_updates_regardless_of_description(upstream: New) -> None:
    there = upstream("ops")
    content = {"data_alias": "team@ops", "data_uid": "1" * 16, "dict": {"url": "https://example.invalid/team@/ops"}}
    there.commit(".ckr.json", json.dumps(content))
    _pull("team@ops", there.url)
    old = there.git("rev-parse", "--short=12", "HEAD")
    new = there.commit("b")
    assert _pull("team@ops") == [f"team@ops: updated from {old} to {new}"]
    assert _pull(url=there.url) == [f"team@ops: up to date at {new}"]
    assert _pull("ops", f"{there.url}/") == [f"team@ops: up to date at {new}"]


def test_pull_succeeds_with_unavailable_dependency(upstream: New, tmp_path: Path, ck: Callable[..., Any]) -> None:
    good = upstream("good")
    top = upstream("top", ("gone", str(tmp_path / "nowhere")), ("good", good.url), ("fd", "fd::0"))
    done = ck("pull", "repo:top", f"--url={top.url}", "--out=json")
    assert done.code == done.json["return"] == 5
    assert [(row["data_uoa"], row["done"].split(" at ")[0]) for row in done.json["lst"]] == [
        ("top", "cloned"),
        ("good", "cloned"),
    ]
    assert [row["data_uoa"] for row in done.json["failed"]] == ["gone", "fd"]
    assert "does not exist" in done.json["failed"][0]["error"]
    assert done.json["error"] == "top can be used; not pulled: gone, fd"
    again = ck("pull", "repo:top")
    assert again.code == 5
    assert again.out.splitlines()[0].startswith("top: up to date at ")
    assert again.out.splitlines()[-1] == "top can be used; not pulled: gone, fd"


def test_existing_dependency_from_elsewhere_is_kept(upstream: New) -> None:
    mine, other = upstream("below"), upstream("fork")
    _pull("below", mine.url)
    assert [line.split(":")[0] for line in _pull(url=upstream("top", ("below", other.url)).url)] == ["top", "below"]
    assert git_state.remote_of(repos_root() / "below") == mine.url


def test_dependency_under_another_name_is_pulled_once(upstream: New) -> None:
    below = upstream("below")
    _pull("my-own", below.url)
    assert [line.split(":")[0] for line in _pull(url=upstream("top", ("", below.url)).url)] == ["top", "my-own"]
    assert _listed() == ["my-own", "top"]


def test_two_clones_with_one_uid_both_work(upstream: New, ck: Callable[..., Any]) -> None:
    one, two = upstream("one"), upstream("two")
    for number, there in enumerate((one, two)):
        content = {"data_alias": there.path.name, "data_uid": "1" * 16}
        there.commit(".ckr.json", json.dumps(content))
        there.commit("dataset/a/.cm/meta.json", json.dumps({"number": number}))
        there.commit("dataset/.cm/alias-a-a", "2" * 16)
        _pull(url=there.url)
    assert [ck("load", f"{name}:dataset:a", "--out=json").json["dict"]["number"] for name in ("one", "two")] == [0, 1]
    done = ck("ls", "repo:" + "1" * 16)
    assert (done.code, "use one of one, two" in done.err) == (4, True)
    assert ck("ls", "repo").err == ""


@pytest.mark.parametrize("uid", ["9a3280b14a4285c9", "4b0c8a3d5e6f7a91"])
def test_foreign_repository_with_reserved_uid_is_not_pulled(uid: str, upstream: New) -> None:
    there = upstream("mine")
    there.commit(".ckr.json", json.dumps({"data_alias": "mine", "data_uid": uid}))
    with pytest.raises(ConflictError, match=uid):
        _pull(url=there.url)
    assert _listed() == []


def test_our_repository_needs_no_pull(upstream: New) -> None:
    there = upstream("ours")
    there.commit(".ckr.json", json.dumps({"data_alias": "mlperf-object-detection", "data_uid": "4b0c8a3d5e6f7a91"}))
    assert _pull(url=there.url) == ["mlperf-object-detection: comes with ck; the copy at this URL is not needed"]
    assert _listed() == []


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare, to mount a small disk")
def test_full_disk_is_reported(upstream: New, tmp_path: Path) -> None:
    there = upstream("large")
    (there.path / "data").write_bytes(os.urandom(2 << 20))
    there.git("add", "--all")
    there.git("commit", "--quiet", "-m", "data")
    place = tmp_path / "small"
    place.mkdir()
    script = f"mount -t tmpfs -o size=1m tmpfs '{place}' || exit 99; CK_REPOS='{place}/CK' exec \"$@\""
    words = [sys.executable, "-m", "ck_repo", "pull", "repo:large", f"--url={there.url}"]
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", *words], capture_output=True, text=True)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.returncode == 8, done.stderr
    assert "git clone: the disk is full" in done.stderr
    assert "check the URL" not in done.stderr


def test_empty_url_is_rejected(ck: Callable[..., Any]) -> None:
    for words in (("pull", "repo:x", "--url="), ("pull", "repo", "--url="), ("push", "repo:local", "--url=")):
        done = ck(*words)
        assert (done.code, "'' is not a URL" in done.err) == (2, True)
