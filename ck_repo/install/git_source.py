"""The files of a commit as a self-verifying tar: a commit's digest covers every byte of its files."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ck_repo.errors import GitError
from ck_repo.store.git_command import PLAIN_ATTRIBUTES, run_git

_URL = re.compile(
    r"git\+(?P<url>(?:https|file)://[^@#\s]+)@(?P<digest>[0-9a-f]{40})(?:#subdirectory=(?P<folder>\w[\w.-]*(?:/\w[\w.-]*)*))?"
)
_PROOF = "CK.commit"  # header of the tar: the commit and the trees that lead to the files, as git objects
_FOLDER, _LINK, _SUBMODULE = "40000", "120000", "160000"


@dataclass(frozen=True)
class Commit:
    """A commit in pip's notation: ``git+https://host/project.git@DIGEST#subdirectory=FOLDER``.

    Attributes
    ----------
    url
        URL of the repository, for git.
    digest
        All 40 digits.
    folder
        The wanted folder; everything if empty.
    """

    url: str
    digest: str
    folder: str = ""


def read_commit(url: str) -> Commit | None:
    """The commit of a URL; None without one.

    >>> read_commit("git+https://example.org/a.git@" + "0" * 40 + "#subdirectory=b").folder
    'b'
    """
    match = _URL.fullmatch(url)
    return Commit(match["url"], match["digest"], match["folder"] or "") if match else None


def archive_commit(commit: Commit, target: Path, *, patience: float, certificate: str = "") -> None:
    """Download a commit and write its files as a reproducible tar.

    The caller holds the lock on `target`. If the server supports it, only the wanted folder is transferred. Submodules are not
    included, and no hooks or filters run.

    Parameters
    ----------
    patience
        The read timeout, s.
    certificate
        A file with a certificate authority, if it is not one of the system's.

    Raises
    ------
    GitError
        If the commit or the folder does not exist, or the server cannot be reached.
    """
    clone = target.with_suffix(".git")
    shutil.rmtree(clone, ignore_errors=True)  # left by a killed process
    clone.mkdir()
    try:
        run_git("init", "--quiet", "--template=", folder=clone)
        (clone / ".git" / "info").mkdir(exist_ok=True)
        (clone / ".git" / "info" / "attributes").write_text(PLAIN_ATTRIBUTES, encoding="utf-8")
        run_git("remote", "add", "origin", commit.url, folder=clone)
        settings = [
            "protocol.version=2",  # older versions only serve commits at the tip of a branch
            "safe.directory=*",  # a mirror on this machine may be untrusted: nothing in it is run
            "http.lowSpeedLimit=1", f"http.lowSpeedTime={max(1, round(patience))}",
            *([f"http.sslCAInfo={certificate}"] if certificate else []),
        ]  # fmt: skip
        given = [word for setting in settings for word in ("-c", setting)]
        words = ("--quiet", "--depth=1", "--no-tags", "--filter=blob:none", "origin", commit.digest)
        run_git(*given, "fetch", *words, folder=clone)
        if run_git("rev-parse", "FETCH_HEAD^{commit}", folder=clone) != commit.digest:
            raise GitError(f"{commit.url} has no commit {commit.digest}")
        if commit.folder:
            run_git("sparse-checkout", "set", "--no-cone", f"/{commit.folder}/", folder=clone)
        plain = ("-c", "core.autocrlf=false", "-c", "core.symlinks=true")
        run_git(*given, *plain, "checkout", "--quiet", "--detach", commit.digest, folder=clone)
        _write(clone, commit, target)
    finally:
        shutil.rmtree(clone, ignore_errors=True)


def resolve_commit(url: str, name: str, *, certificate: str = "") -> str:
    """The commit of a branch, a tag or an abbreviated commit in a remote repository.

    Parameters
    ----------
    name
        The default branch, if empty.
    certificate
        As for `archive_commit`.

    Raises
    ------
    GitError
        If none has that name, or the server cannot be reached.
    """
    given = ("-c", f"http.sslCAInfo={certificate}") if certificate else ()
    refs = dict(line.split("\t")[::-1] for line in run_git(*given, "ls-remote", "--", url).splitlines() if "\t" in line)
    # the commit of an annotated tag is listed after the tag itself
    for ref in (f"refs/tags/{name}^{{}}", f"refs/tags/{name}", f"refs/heads/{name}") if name else ("HEAD",):
        if ref in refs:
            return refs[ref]
    if re.fullmatch("[0-9a-f]{40}", name):
        return name
    if re.fullmatch("[0-9a-f]{7,39}", name):
        return _by_first_digits(url, name, given)
    raise GitError(f"it has no branch or tag {name!r}", hint="`git ls-remote` lists its branches and tags")


def _by_first_digits(url: str, digits: str, given: tuple[str, ...]) -> str:
    """The commit whose name has that prefix; this needs the history, but no files."""
    with tempfile.TemporaryDirectory() as place:
        run_git(*given, "clone", "--quiet", "--bare", "--filter=tree:0", "--template=", "--", url, place)
        return run_git("--git-dir", place, "rev-parse", "--verify", "--end-of-options", f"{digits}^{{commit}}")


def _write(clone: Path, commit: Commit, target: Path) -> None:
    """Write the files of the commit's trees, without owners and times, and the trees for verification."""
    objects = {commit.digest: _raw(clone, "commit", commit.digest)}
    root = _tree_of(objects[commit.digest])
    rows = sorted(_walk(root, commit.folder, objects, lambda digest: _raw(clone, "tree", digest)))
    if not rows:
        raise GitError(f"{commit.url} has no folder {commit.folder} at {commit.digest[:12]}")
    proof = json.dumps({digest: base64.b64encode(raw).decode() for digest, raw in sorted(objects.items())})
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT, pax_headers={_PROOF: proof}) as file:
        for name, mode, _ in rows:
            member, path = tarfile.TarInfo(name), clone / name
            if mode == _LINK:
                member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
                file.addfile(member)
                continue
            member.mode, member.size = (0o755 if mode == "100755" else 0o644), path.stat().st_size
            with open(path, "rb") as content:
                file.addfile(member, content)


def _raw(clone: Path, kind: str, digest: str) -> bytes:
    """An object of the repository."""
    return os.fsencode(run_git("cat-file", kind, digest, folder=clone, strip=False))


def _tree_of(commit: bytes) -> str:
    """The root tree of a commit."""
    return commit.removeprefix(b"tree ")[:40].decode("ascii", "replace")


def _walk(digest: str, folder: str, objects: dict[str, bytes], read: Callable[[str], bytes]) -> Iterator[tuple[str, str, str]]:
    """Name, mode and digest of every file in `folder` of a tree; the trees are stored in `objects`."""

    def visit(digest: str, above: str) -> Iterator[tuple[str, str, str]]:
        objects[digest] = raw = read(digest)
        for mode, name, below in _entries(raw):
            path = f"{above}{name}"
            inside = not folder or path == folder or path.startswith(f"{folder}/")
            if mode == _FOLDER and (inside or folder.startswith(f"{path}/")):
                yield from visit(below, f"{path}/")
            elif inside and path != folder and mode not in (_FOLDER, _SUBMODULE):
                yield path, mode, below

    yield from visit(digest, "")


def _entries(tree: bytes) -> Iterator[tuple[str, str, str]]:
    """Mode, name and digest of each entry of a tree."""
    at = 0
    while at < len(tree):
        space, end = tree.index(b" ", at), tree.index(b"\0", at)
        yield tree[at:space].decode("ascii"), os.fsdecode(tree[space + 1 : end]), tree[end + 1 : end + 21].hex()
        at = end + 21


def unproven(path: Path, commit: Commit) -> str:
    """Why a tar does not have the files of a commit; empty if it does.

    Every object is compared with its digest: the commit, the trees, and each file.

    Parameters
    ----------
    path
        The tar, whose header has the objects of git that the files do not follow from.
    commit
        Digest of the commit, and the folder of it that the tar contains.
    """
    try:
        with tarfile.open(path) as file:
            proof = json.loads(file.pax_headers.get(_PROOF, "{}"))
            known = {digest: base64.b64decode(text) for digest, text in proof.items()}
            seen: dict[str, bytes] = {}
            raw = _proven(known, "commit", commit.digest)
            rows = _walk(_tree_of(raw), commit.folder, seen, lambda digest: _proven(known, "tree", digest))
            wanted = {name: (mode, digest) for name, mode, digest in rows}
            return _differing(file, wanted)
    except (tarfile.TarError, EOFError, ValueError, LookupError, AttributeError, TypeError) as error:
        return f"it is not proven to have the files of commit {commit.digest[:12]}: {error}"


def _proven(known: Mapping[str, bytes], kind: str, digest: str) -> bytes:
    raw = known[digest]
    if _digest(kind, raw) != digest:
        raise ValueError(f"the {kind} {digest[:12]} differs")
    return raw


def _digest(kind: str, content: bytes) -> str:
    """The digest of a git object."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(content)) + content).hexdigest()


def _differing(file: tarfile.TarFile, wanted: Mapping[str, tuple[str, str]]) -> str:
    members = {member.name: member for member in file.getmembers()}
    if set(members) != set(wanted) or not wanted or len(file.getmembers()) != len(members):
        return "its files are not those of the commit"
    for name, (mode, digest) in wanted.items():
        member = members[name]
        content = file.extractfile(member) if member.isfile() and mode != _LINK else None
        raw = content.read() if content else os.fsencode(member.linkname) if member.issym() and mode == _LINK else None
        if raw is None or _digest("blob", raw) != digest:
            return f"its file {name} is not that of the commit"
    return ""
