"""The files of a commit, as a tar that proves itself: a commit's digest names its content, down to every byte of every file."""

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
_PROOF = "CK.commit"  # header of the tar: the commit and the trees that lead to the files, as git keeps them
_FOLDER, _LINK, _SUBMODULE = "40000", "120000", "160000"


@dataclass(frozen=True)
class Commit:
    """A commit, as pip writes one: ``git+https://host/project.git@DIGEST#subdirectory=FOLDER``.

    Attributes
    ----------
    url
        Of the repository, as git takes it.
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


def archive_commit(commit: Commit, target: Path, *, patience: float, certificate: str = "") -> None:
    """Fetch a commit and write its files as a tar, which is the same wherever and whenever it is made.

    The caller holds the lock on `target`. Only the wanted folder comes over the line where the server can part it; no
    submodule comes, and no hook and no filter runs.

    Parameters
    ----------
    patience
        The read timeout, s.
    certificate
        A file with the authority that vouches for the server, if it is not one of the system's.

    Raises
    ------
    GitError
        If the commit or the folder is not there, or the server cannot be reached.
    """
    clone = target.with_suffix(".git")
    shutil.rmtree(clone, ignore_errors=True)  # of a process that was killed
    clone.mkdir()
    try:
        run_git("init", "--quiet", "--template=", folder=clone)
        (clone / ".git" / "info").mkdir(exist_ok=True)
        (clone / ".git" / "info" / "attributes").write_text(PLAIN_ATTRIBUTES, encoding="utf-8")
        run_git("remote", "add", "origin", commit.url, folder=clone)
        settings = [
            "protocol.version=2",  # older ones give no commit that is not the tip of a branch
            "safe.directory=*",  # a mirror on this machine is somebody else's, and nothing in it is run
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
    """The commit that a branch, a tag or the first digits of a commit name in a repository elsewhere.

    Parameters
    ----------
    name
        The branch that the repository shows first, if empty.
    certificate
        As for `archive_commit`.

    Raises
    ------
    GitError
        If there is none of that name, or the server cannot be reached.
    """
    given = ("-c", f"http.sslCAInfo={certificate}") if certificate else ()
    refs = dict(line.split("\t")[::-1] for line in run_git(*given, "ls-remote", "--", url).splitlines() if "\t" in line)
    # an annotated tag has the commit that it is of behind its own name
    for ref in (f"refs/tags/{name}^{{}}", f"refs/tags/{name}", f"refs/heads/{name}") if name else ("HEAD",):
        if ref in refs:
            return refs[ref]
    if re.fullmatch("[0-9a-f]{40}", name):
        return name
    if re.fullmatch("[0-9a-f]{7,39}", name):
        return _by_first_digits(url, name, given)
    raise GitError(f"it has no branch and no tag {name!r}", hint="`git ls-remote` lists those that it has")


def _by_first_digits(url: str, digits: str, given: tuple[str, ...]) -> str:
    """The commit whose name begins so; its history has to come for that, but no file."""
    with tempfile.TemporaryDirectory() as place:
        run_git(*given, "clone", "--quiet", "--bare", "--filter=tree:0", "--template=", "--", url, place)
        return run_git("--git-dir", place, "rev-parse", "--verify", "--end-of-options", f"{digits}^{{commit}}")


def _write(clone: Path, commit: Commit, target: Path) -> None:
    """Write what the commit's trees list, without owners and times, and the trees for a proof."""
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
    """An object as git keeps it."""
    return os.fsencode(run_git("cat-file", kind, digest, folder=clone, strip=False))


def _tree_of(commit: bytes) -> str:
    """The root tree that a commit names."""
    return commit.removeprefix(b"tree ")[:40].decode("ascii", "replace")


def _walk(digest: str, folder: str, objects: dict[str, bytes], read: Callable[[str], bytes]) -> Iterator[tuple[str, str, str]]:
    """Name, mode and digest of every file in `folder` below a tree; the trees that were read are kept in `objects`."""

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
    """Why a tar does not hold the files of a commit, wherever it is from; empty if it does.

    Every object is held against its digest: the commit, the trees that it leads to, and each file.
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
        return f"it does not prove to be the files of commit {commit.digest[:12]}: {error}"


def _proven(known: Mapping[str, bytes], kind: str, digest: str) -> bytes:
    raw = known[digest]
    if _digest(kind, raw) != digest:
        raise ValueError(f"the {kind} {digest[:12]} is another")
    return raw


def _digest(kind: str, content: bytes) -> str:
    """As git names an object."""
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
