"""A download from a git commit: exactly its files, whatever the repository does."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import Server, whole
from unit.upstreams import Upstream

from ck_repo.errors import ConfigError, DownloadError, InstallError, MismatchError, OfflineError
from ck_repo.install.clean import clean_leftovers
from ck_repo.install.fetch import adopt, fetch
from ck_repo.install.git_source import read_commit, unproven
from ck_repo.install.source import Source, read_source
from ck_repo.session import Session
from ck_repo.store.fields import Fields

if TYPE_CHECKING:
    from unit.install.conftest import Shelf


@pytest.fixture
def origin(upstream: Callable[..., Upstream]) -> Upstream:
    """A repository with the requested folder and others."""
    row = upstream("theirs")
    (row.path / "loadgen").mkdir()
    (row.path / "loadgen/a.cc").write_bytes(b"one\r\n$Id$\n")  # a blob with both: the attributes apply when it is added
    row.git("add", "--all")
    row.git("commit", "--quiet", "-m", "a.cc")
    row.commit("loadgen/deep/b.h", "two")
    row.commit("other/c", "three")
    (row.path / "loadgen/run.sh").write_text("#!/bin/sh\n")
    (row.path / "loadgen/run.sh").chmod(0o755)
    (row.path / "loadgen/.gitattributes").write_text("*.cc text ident eol=lf\n")
    row.git("add", "loadgen/.gitattributes", "loadgen/run.sh")
    row.git("commit", "--quiet", "-m", "attributes")
    return row


def url_of(origin: Upstream, folder: str = "loadgen", commit: str = "") -> str:
    return f"git+file://{origin.path}@{commit or origin.git('rev-parse', 'HEAD')}" + (
        f"#subdirectory={folder}" if folder else ""
    )


def names(path: Path) -> list[str]:
    with tarfile.open(path) as file:
        return file.getnames()


def test_folder_is_copied_byte_for_byte(origin: Upstream, shelf: Shelf) -> None:
    shelf.package("p", {"download": {"url": url_of(origin), "unpack": True}})
    meta = shelf.install("p")
    files = {path.relative_to(meta["path"]).as_posix() for path in Path(meta["path"]).rglob("*") if path.is_file()}
    assert files == {".ck-install.json", *(f"loadgen/{name}" for name in (".gitattributes", "a.cc", "deep/b.h", "run.sh"))}
    # as they are in the commit: attributes are not applied
    assert Path(meta["path"], "loadgen/a.cc").read_bytes() == b"one\r\n$Id$\n"
    assert Path(meta["path"], "loadgen/run.sh").stat().st_mode & 0o111
    (row,) = meta["downloads"]
    assert row["urls"] == [url_of(origin)]


def test_commit_gives_the_same_file_everywhere(origin: Upstream, ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, digest = fetch(Source((url_of(origin),)))
    monkeypatch.setenv("CK_TOOLS", str(ck_home / "elsewhere"))
    again, same = fetch(Source((url_of(origin),)))
    assert digest == same
    assert first.read_bytes() == again.read_bytes()
    # a lock knows the digest, and a bundle has the file: git is not asked
    url = url_of(origin)
    origin.path.rename(origin.path.with_name("gone"))
    assert fetch(Source((url,), sha256=digest))[1] == digest
    assert fetch(Source((url,)))[1] == digest


def test_whole_repository_and_older_commit(origin: Upstream) -> None:
    old = origin.git("rev-parse", "HEAD~2")
    path, _ = fetch(Source((url_of(origin, "", old),)))
    assert names(path) == [".ckr.json", "loadgen/a.cc", "loadgen/deep/b.h"]


@pytest.mark.parametrize(
    ("folder", "commit", "message"),
    [("loadgen", "0" * 40, "0000000000"), ("nowhere", "", "no folder nowhere"), ("load", "", "no folder load")],
)
def test_missing_commit_or_folder_is_reported(origin: Upstream, ck_home: Path, folder: str, commit: str, message: str) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch(Source((url_of(origin, folder, commit),)))
    assert message in str(caught.value)
    assert [path for path in (ck_home / "CK-TOOLS").rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_missing_repository_is_reported(origin: Upstream) -> None:
    url = url_of(origin)
    origin.path.rename(origin.path.with_name("gone"))
    with pytest.raises(DownloadError, match=r"does not appear to be a git repository|does not exist"):
        fetch(Source((url,)))


def test_local_mirror_is_used(origin: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    public = url_of(origin).replace(f"git+file://{origin.path}", "git+https://example.org/theirs.git")
    monkeypatch.setenv("CK_OFFLINE", "1")
    with pytest.raises(OfflineError):
        fetch(Source((public,)))
    monkeypatch.setenv("CK_MIRRORS", f"git+https://example.org/theirs.git=git+file://{origin.path}")
    path, _ = fetch(Source((public,)))
    assert "loadgen/a.cc" in names(path)


def test_leftovers_of_killed_process_are_removed(origin: Upstream, ck_home: Path) -> None:
    fetch(Source((url_of(origin),)))
    left = ck_home / "CK-TOOLS/.cache/partial/0123.git"
    (left / "objects").mkdir(parents=True)
    clean_leftovers()
    assert not left.exists()


@pytest.mark.parametrize(
    "url",
    [
        "git+https://example.org/a.git@main",  # a branch moves
        "git+https://example.org/a.git@0dc82fca5c",
        "git+https://example.org/a.git",
        "git+ssh://example.org/a.git@" + "0" * 40,
        "git+https://example.org/a.git@" + "0" * 40 + "#subdirectory=../b",
        "git+https://example.org/a.git@" + "0" * 40 + "#subdirectory=/b",
        "git+https://example.org/a.git@" + "0" * 40 + "#subdirectory=--b",
    ],
)
def test_abbreviated_commit_is_rejected(url: str) -> None:
    assert read_commit(url) is None
    with pytest.raises(ConfigError, match="and not a commit"):
        read_source(Fields({"url": url}, "recipe"))


def test_user_hooks_and_filters_do_not_run(origin: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository's attributes request a filter that the user's settings define, and a template has a hook."""
    filtered, hooked = tmp_path / "filtered", tmp_path / "hooked"
    origin.commit("loadgen/.gitattributes", "* filter=theirs\n")
    hooks = tmp_path / "template/hooks"
    hooks.mkdir(parents=True)
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {hooked}\n")
    (hooks / "post-checkout").chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[filter "theirs"]\n\tsmudge = "touch {filtered}; cat"\n[init]\n\ttemplateDir = {tmp_path / "template"}\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    fetch(Source((url_of(origin),)))
    assert not filtered.exists()
    assert not hooked.exists()


def forged(path: Path, change: Callable[[tarfile.TarInfo, bytes], bytes]) -> Path:
    """A tar with the commit object of another one, and its files changed."""
    target = path.with_name("forged.tar")
    with tarfile.open(path) as old, tarfile.open(target, "w", pax_headers=dict(old.pax_headers)) as new:
        for member in old.getmembers():
            content = old.extractfile(member)
            raw = change(member, content.read() if content else b"")
            member.size = len(raw)
            new.addfile(member, io.BytesIO(raw))
    return target


def evil(member: tarfile.TarInfo, content: bytes) -> bytes:
    return b"evil" if member.name.endswith("a.cc") else content


def test_tar_is_verified_against_commit(
    origin: Upstream, ck_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    url = url_of(origin)
    path, digest = fetch(Source((url,)))
    good = tmp_path / "good.tar"
    good.write_bytes(path.read_bytes())
    bad = forged(good, evil)
    origin.path.rename(origin.path.with_name("gone"))
    monkeypatch.setenv("CK_TOOLS", str(ck_home / "elsewhere"))
    # from a mirror or a bundle, according to a foreign lock
    with pytest.raises(DownloadError, match=r"a\.cc is not that of the commit"):
        fetch(Source((url, server.give("/f.tar", whole(bad.read_bytes())))))
    false = Source((url,), sha256=hashlib.sha256(bad.read_bytes()).hexdigest())
    with pytest.raises(MismatchError, match=r"a\.cc is not that of the commit"):
        adopt(bad, false)
    assert fetch(Source((url, server.give("/g.tar", whole(good.read_bytes())))))[1] == digest
    monkeypatch.setenv("CK_TOOLS", str(ck_home / "third"))
    adopt(good, Source((url,), sha256=digest))
    assert fetch(Source((url,)))[1] == digest  # nothing is requested


@pytest.mark.parametrize("what", ["nothing", "a file more", "a file less", "no proof", "another commit's proof"])
def test_unverifiable_tar_is_reported(origin: Upstream, tmp_path: Path, what: str) -> None:
    commit = read_commit(url_of(origin))
    assert commit
    path, _ = fetch(Source((url_of(origin),)))
    assert unproven(path, commit) == ""
    if what == "another commit's proof":
        commit = replace(commit, digest=origin.git("rev-parse", "HEAD~1"))
    with tarfile.open(path) as old:
        proof = {} if what == "no proof" else dict(old.pax_headers)
        with tarfile.open(tmp_path / "t.tar", "w", pax_headers=proof) as new:
            members = old.getmembers()
            for member in members[1:] if what == "a file less" else [] if what == "nothing" else members:
                new.addfile(member, old.extractfile(member))
            if what == "a file more":
                new.addfile(tarfile.TarInfo("loadgen/more"))
    assert unproven(tmp_path / "t.tar", commit)


def test_foreign_modules_need_trust(shelf: Shelf) -> None:
    """Everything on a program's search path runs, script or not."""
    shelf.package("theirs", {"copy": {"file": "sitecustomize.py", "to": "m/sitecustomize.py"}}, files={"sitecustomize.py": "x"},
                  python_path="m")  # fmt: skip
    with pytest.raises(InstallError, match="another repository: Python modules") as caught:
        shelf.install("theirs", trust=False)
    assert "--trust" in caught.value.hint
    assert shelf.install("theirs", trust=True)["python_path"].endswith("/m")


def test_compiled_modules_are_for_one_python(shelf: Shelf, origin: Upstream) -> None:
    from ck_repo.machine.survey import survey
    from ck_repo.resolve.resolver import Resolver

    def key(python: str) -> str:
        return Resolver(survey(Session(shelf.repositories), {}, python)).resolve("compiled").key

    shelf.package("compiled", {"download": {"url": url_of(origin), "unpack": True}}, per_python=True)
    assert key("3.11.7") == key("3.11.9") != key("3.12.1")


def test_promised_modules_exist(shelf: Shelf, origin: Upstream) -> None:
    step = {"download": {"url": url_of(origin), "unpack": True}}
    shelf.package("good", step, python_path="loadgen/deep")
    meta = shelf.install("good")
    assert meta["python_path"] == f"{meta['path']}/loadgen/deep"
    assert json.loads(Path(meta["path"], ".ck-install.json").read_text())["python_path"] == meta["python_path"]
    shelf.package("empty", step, python_path="python")
    with pytest.raises(InstallError, match="promises modules in python"):
        shelf.install("empty")
    shelf.package("out", step, python_path="../..")
    with pytest.raises(ConfigError, match="leads out"):
        shelf.install("out")
