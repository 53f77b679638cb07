"""A folder's own git settings run nothing, and only allowed URLs reach git."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.environment.collect import repository_states
from ck_repo.errors import GitError, UsageError
from ck_repo.session import Session
from ck_repo.store import git, git_state
from ck_repo.store.folders import repos_root
from ck_repo.store.git_settings import check_settings, check_url
from ck_repo.store.repositories import Repositories

New = Callable[..., Any]  # the fixture `upstream`

# settings with which git runs the program {marker}, and the git command that does it
MALICIOUS = {
    "filter": ("[filter \"x\"]\n\tclean = {marker}\n\tsmudge = {marker}\n\trequired = true\n", "status"),
    "fsmonitor": ("[core]\n\tfsmonitor = {marker}\n", "status"),
    "hooks": ("[core]\n\thooksPath = {hooks}\n", "commit --allow-empty -m x"),
    "ssh": ("[core]\n\tsshCommand = {marker}\n[remote \"origin\"]\n\turl = ssh://example.invalid/x\n", "fetch origin"),
    "uploadpack": ("[remote \"origin\"]\n\turl = {upstream}\n\tuploadpack = {marker}\n", "fetch origin"),
    "include": ("[include]\n\tpath = {included}\n", "status"),
    "include for the folder": ("[includeIf \"gitdir:**\"]\n\tpath = {included}\n", "status"),
    "settings of a worktree": ("[extensions]\n\tworktreeConfig = true\n", "status"),
    "url that is a program": ("[remote \"origin\"]\n\turl = ext::{marker}\n[protocol]\n\tallow = always\n", "fetch origin"),
    "url that becomes a program": (
        "[remote \"origin\"]\n\turl = https://example.invalid/x\n[url \"ext::{marker} \"]\n\tinsteadOf = https://\n"
        "[protocol]\n\tallow = always\n",
        "fetch origin",
    ),
    "gpg": ("[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = {marker}\n", "commit --allow-empty -m x"),
}  # fmt: skip


@pytest.fixture
def malicious(upstream: New, tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """A folder with settings of that kind, as an archive would contain it, and the file that its program creates."""

    def make(kind: str) -> tuple[Path, Path]:
        there = upstream("far")
        there.commit("dataset/a/.cm/meta.json", '{"tags": ["x"]}')
        there.commit("dataset/.cm/alias-a-a", "0123456789abcdef\n")
        there.commit(".gitattributes", "* filter=x\n")
        folder, marker, program = tmp_path / "stranger", tmp_path / "marker", tmp_path / "program"
        subprocess.run(["git", "clone", "--quiet", there.url, folder], check=True)
        program.write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
        program.chmod(0o755)
        hooks = tmp_path / "hooks"
        hooks.mkdir()
        for name in ("pre-commit", "post-checkout", "post-merge", "reference-transaction", "post-index-change"):
            shutil.copy(program, hooks / name)
        included = tmp_path / "included"
        included.write_text(f"[core]\n\tfsmonitor = {program}\n")
        text = MALICIOUS[kind][0].format(marker=program, hooks=hooks, included=included, upstream=there.url)
        if "worktreeConfig" in text:
            (folder / ".git" / "config.worktree").write_text(included.read_text())
        if '[remote "origin"]' in text:
            subprocess.run(["git", "remote", "remove", "origin"], cwd=folder, check=True)
        with open(folder / ".git" / "config", "a") as file:
            file.write(text)
        (folder / "dataset" / "a" / ".cm" / "meta.json").write_text('{"tags": ["y"]}')
        return folder, marker

    return make


@pytest.mark.parametrize("kind", MALICIOUS)
def test_folder_settings_run_no_program(
    kind: str, malicious: Callable[[str], tuple[Path, Path]], ck: Callable[..., Any], tmp_path: Path
) -> None:
    folder, marker = malicious(kind)
    commit = (folder / ".git" / "refs" / "heads" / "main").read_text().strip()
    control = tmp_path / "control"
    shutil.copytree(folder, control)
    words = ["git", "-c", "user.name=S", "-c", "user.email=s@b.example", *MALICIOUS[kind][1].split()]
    subprocess.run(words, cwd=control, capture_output=True)
    assert marker.exists()  # git itself runs it
    marker.unlink()

    assert ck("add", "repo:mine", f"--path={folder}").code == 0
    assert ck("ls", "dataset").out == "a\n"
    assert ck("search", "dataset", "--tags=y").out == "mine:dataset:a\n"
    assert repository_states(Session(), ["mine"])["mine"].commit == commit  # what `ck run` records
    assert git_state.state_of(folder) == git_state.GitState(True, commit, True)
    for words in (["pull", "repo:mine"], ["pull", "all"], ["push", "repo:mine"]):
        done = ck(*words)
        if kind != "hooks":  # these are disabled
            assert done.code != 0
    assert not marker.exists()


def test_rejection_names_settings_and_hint(malicious: Callable[[str], tuple[Path, Path]]) -> None:
    folder, _ = malicious("filter")
    with pytest.raises(GitError, match=r"settings filter\.x\.clean, filter\.x\.required, filter\.x\.smudge") as caught:
        check_settings(folder)
    assert "git config --global" in caught.value.hint


def test_settings_of_inner_folder_run_nothing(upstream: New, tmp_path: Path) -> None:
    there, inner = upstream("far"), upstream("inner")
    marker, program = tmp_path / "marker", tmp_path / "program"
    there.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.url, "inner")
    there.git("commit", "--quiet", "-m", "inner")
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    there.git("-C", "inner", "config", "core.fsmonitor", str(program))
    there.git("status")
    assert marker.exists()
    marker.unlink()
    assert git_state.state_of(there.path).git is True
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["a file", "a link"])
def test_external_git_folder_is_not_updated(kind: str, upstream: New, tmp_path: Path) -> None:
    there = upstream("far")
    folder = tmp_path / "stranger"
    shutil.copytree(there.path, folder, ignore=lambda *_: [".git"])
    if kind == "a file":
        (folder / ".git").write_text(f"gitdir: {there.path / '.git'}\n")
    else:
        (folder / ".git").symlink_to(there.path / ".git")
    with pytest.raises(GitError, match="refers to another folder"):
        check_settings(folder)


def test_worktree_is_read_and_can_be_updated(upstream: New, tmp_path: Path) -> None:
    there = upstream("far")
    there.git("worktree", "add", "--quiet", str(tmp_path / "tree"))
    (tmp_path / "tree" / "new").write_text("")
    commit = there.git("rev-parse", "HEAD")
    check_settings(tmp_path / "tree")
    assert git_state.state_of(tmp_path / "tree") == git_state.GitState(True, commit, True)
    assert git_state.state_of(there.path) == git_state.GitState(True, commit, False)


def test_state_includes_packed_refs_and_excludes(upstream: New) -> None:
    there = upstream("far")
    there.git("pack-refs", "--all")
    (there.path / ".git" / "info").mkdir(exist_ok=True)
    (there.path / ".git" / "info" / "exclude").write_text("/venv/\n")
    (there.path / "venv").mkdir()
    (there.path / "venv" / "file").write_text("")
    assert git_state.state_of(there.path) == git_state.GitState(True, there.git("rev-parse", "HEAD"), False)
    assert git_state.commit_of(there.path) == there.git("rev-parse", "--short=12", "HEAD")


def test_our_clone_has_only_allowed_settings(upstream: New) -> None:
    there = upstream("far")
    git.pull(Repositories(), "far", there.url)
    check_settings(repos_root() / "far")
    assert git_state.remote_of(repos_root() / "far") == there.url


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/team/project.git", "ssh://git@example.org:2222/x", "git://example.org/x", "file:///home/a/x",
        "git@example.org:team/project", "example.org:project", "/home/a/x", "../x", "x/a:b", "HTTPS://example.org/x",
    ],
)  # fmt: skip
def test_allowed_urls(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "fd::0", "fd::0,1/x", "ext::sh -c date", "ext::sh", "http://example.org/x", "ftp://example.org/x", "hg::https://a.org/x",
        "transport://x", "--upload-pack=date", "-x:y", "ssh://-oProxyCommand=date/x", "-oProxyCommand=date:x", ":x", "a b:c",
        "https://example.org/x\nfetch = y", "https://[", "https://", "https:///x", "ssh://h:99999999/x", "git://h:x/y", "file://",
    ],
)  # fmt: skip
def test_rejected_urls(url: str, ck: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="is not a URL that ck passes to git"):
        check_url(url)
    done = ck("pull", "repo:x", f"--url={url}")
    assert (done.code, "use one of file://, git://, https://, ssh://" in done.err) == (2, True)


@pytest.mark.parametrize(("setting", "changed"), [("true", True), ("false", False)])
def test_state_respects_file_comparison_settings(setting: str, changed: bool, upstream: New) -> None:
    there = upstream("far")
    there.git("config", "core.fileMode", setting)
    (there.path / ".ckr.json").chmod(0o755)
    assert git_state.state_of(there.path).changed is changed


def test_state_of_sha256_clone_is_read(upstream: New, tmp_path: Path) -> None:
    folder = tmp_path / "sha256"
    subprocess.run(["git", "init", "--quiet", "--object-format=sha256", folder], check=True)
    words = ["-c", "user.name=S", "-c", "user.email=s@b.example", "commit", "--quiet", "--allow-empty", "-m", "x"]
    subprocess.run(["git", *words], cwd=folder, check=True)
    assert len(str(git_state.state_of(folder).commit)) == 64


def test_change_right_after_commit_is_detected(upstream: New) -> None:
    there = upstream("far")
    for number in range(5):
        there.commit("file", f"{number}")
        (there.path / "file").write_text("x")  # of the same length, and perhaps with the same time
        assert git_state.state_of(there.path).changed is True


@pytest.mark.parametrize(
    "name",
    [".git/config", ".git/HEAD", ".git/index", ".git/packed-refs", ".git/refs/heads/x", ".git/info/exclude", ".gitignore"],
)
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe"])
def test_git_does_not_wait_for_pipe(name: str, kind: str, upstream: New, tmp_path: Path) -> None:
    git.pull(Repositories(), "far", upstream("far").url)
    folder = repos_root() / "far"
    (folder / name).unlink(missing_ok=True)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        os.mkfifo(tmp_path / "pipe")
        (folder / name).symlink_to(tmp_path / "pipe")
    (row,) = [row for row in Repositories().all() if row.alias == "far"]
    with pytest.raises(GitError, match=r"git was not run in .*a named pipe|a link that leads out"):
        git.update(row)
    assert git_state.state_of(folder) == git_state.GitState()
    assert git_state.commit_of(folder) == ""


def test_link_inside_git_folder_is_allowed(upstream: New) -> None:
    there = upstream("far")
    (there.path / ".git/HEAD").unlink()
    (there.path / ".git/HEAD").symlink_to("refs/heads/main")
    check_settings(there.path)
