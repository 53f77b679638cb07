"""The files of a commit, by git: a commit's digest names its content, and git checks every object that comes against it."""

from __future__ import annotations

import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ck_repo.errors import GitError
from ck_repo.store.git import run_git

_URL = re.compile(
    r"git\+(?P<url>(?:https|file)://[^@#\s]+)@(?P<digest>[0-9a-f]{40})(?:#subdirectory=(?P<folder>\w[\w.-]*(?:/\w[\w.-]*)*))?"
)
# no attribute of the repository may change what is written: the files are the blobs, byte by byte
_ATTRIBUTES = "* -text -ident -filter -working-tree-encoding\n"


@dataclass(frozen=True)
class Commit:
    """A commit, as pip writes one: ``git+https://host/project.git@DIGEST#subdirectory=FOLDER``.

    Attributes
    ----------
    digest
        All 40 digits.
    folder
        The part that is wanted; everything if empty.
    """

    url: str
    digest: str
    folder: str = ""


def read_commit(url: str) -> Commit | None:
    """The commit that a URL names; None if it names none.

    >>> read_commit("git+https://example.org/a.git@" + "0" * 40 + "#subdirectory=b").folder
    'b'
    """
    match = _URL.fullmatch(url)
    return Commit(match["url"], match["digest"], match["folder"] or "") if match else None


def archive_commit(commit: Commit, target: Path) -> None:
    """Fetch a commit and write its files as a tar, which is the same wherever and whenever it is made.

    The caller holds the lock on `target`. Only the wanted folder comes over the line where the server can part it; no
    submodule comes, and no hook and no filter runs.

    Raises
    ------
    GitError
        If the commit or the folder is not there, or the server cannot be reached.
    """
    clone = target.with_suffix(".git")
    shutil.rmtree(clone, ignore_errors=True)  # of a process that was killed
    clone.mkdir()
    try:
        run_git("init", "--quiet", folder=clone)
        (clone / ".git" / "info").mkdir(exist_ok=True)
        (clone / ".git" / "info" / "attributes").write_text(_ATTRIBUTES, encoding="utf-8")
        run_git("remote", "add", "origin", commit.url, folder=clone)
        words = ("--quiet", "--depth=1", "--no-tags", "--filter=blob:none", "origin", commit.digest)
        run_git("fetch", *words, folder=clone)
        if run_git("rev-parse", "FETCH_HEAD^{commit}", folder=clone) != commit.digest:
            raise GitError(f"{commit.url} has no commit {commit.digest}")
        if commit.folder:
            run_git("sparse-checkout", "set", "--no-cone", f"/{commit.folder}/", folder=clone)
        run_git("-c", "core.autocrlf=false", "checkout", "--quiet", "--detach", commit.digest, folder=clone)
        rows = run_git("ls-tree", "-r", "-z", "HEAD", "--", *([commit.folder] if commit.folder else []), folder=clone)
        if not rows:
            raise GitError(f"{commit.url} has no folder {commit.folder} at {commit.digest[:12]}")
        _write(clone, rows, target)
    finally:
        shutil.rmtree(clone, ignore_errors=True)


def _write(clone: Path, rows: str, target: Path) -> None:
    """Write the files that `git ls-tree` listed, without owners and times."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as file:
        for row in sorted(filter(None, rows.split("\0")), key=lambda row: row.partition("\t")[2]):
            about, _, name = row.partition("\t")
            mode, kind = about.split()[:2]
            if kind != "blob":  # a submodule: another repository's files
                continue
            member = tarfile.TarInfo(name)
            path = clone / name
            if mode == "120000":
                member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
                file.addfile(member)
                continue
            member.mode, member.size = (0o755 if mode == "100755" else 0o644), path.stat().st_size
            with open(path, "rb") as content:
                file.addfile(member, content)
