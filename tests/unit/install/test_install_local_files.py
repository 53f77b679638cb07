"""Local URLs in recipes: which recipe may read which file, and which kinds of file are allowed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from servers import Server, without_ranges
from unit.upstreams import Upstream

from ck_repo.errors import DownloadError, StorageError, UntrustedError
from ck_repo.install.fetch import fetch, fetch_unknown
from ck_repo.install.source import Source, with_local_mirrors
from ck_repo.store import atomic
from ck_repo.store.entry import Entry
from ck_repo.store.writing import create_entry

if TYPE_CHECKING:
    from unit.install.conftest import Shelf

SECRET = b"private"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_bytes(SECRET)
    return path


def download(url: str) -> dict[str, Any]:
    return {"download": {"url": url, "sha256": hashlib.sha256(SECRET).hexdigest()}}


def foreign(shelf: Shelf, *steps: dict[str, Any], **meta: Any) -> Entry:
    """A package `p` of another repository."""
    content = {"tags": ["p"], "install": list(steps), **meta}
    return create_entry(shelf.repositories.add("theirs"), "package", "p", content)


@pytest.mark.parametrize("spelling", ["file://{}", "FILE://{}", "file://localhost{}", "file:{}"])
def test_foreign_recipe_reads_no_user_file(shelf: Shelf, secret: Path, spelling: str) -> None:
    foreign(shelf, download(spelling.format(secret)))
    with pytest.raises(UntrustedError, match="outside that repository") as caught:
        shelf.install("p", trust=False)
    assert "--trust" in caught.value.hint
    shelf.install("p", trust=True)


def test_recipe_mirror_is_no_bypass(shelf: Shelf, secret: Path) -> None:
    step = download("https://host.invalid/secret.txt")
    step["download"]["mirrors"] = [secret.as_uri()]
    foreign(shelf, step)
    with pytest.raises(UntrustedError):
        shelf.install("p", trust=False)


@pytest.mark.parametrize("how", ["plain", "dots", "link"])
def test_recipe_reads_files_of_its_own_repository(shelf: Shelf, secret: Path, how: str) -> None:
    entry = foreign(shelf)
    own = entry.path / "own.txt"
    if how == "link":
        own.symlink_to(secret)
    else:
        own.write_bytes(SECRET)
    url = f"file://{entry.path}/../../../../{secret.name}" if how == "dots" else own.as_uri()
    (entry.path / ".cm/meta.json").write_text("")
    atomic.write_json(entry.path / ".cm/meta.json", {"tags": ["p"], "install": [download(url)]})
    if how == "plain":
        assert Path(shelf.install("p", trust=False)["path"], "own.txt").read_bytes() == SECRET
    else:
        with pytest.raises(UntrustedError):
            shelf.install("p", trust=False)


def test_own_recipe_reads_any_file(shelf: Shelf, secret: Path) -> None:
    shelf.package("p", download(secret.as_uri()))
    assert Path(shelf.install("p", trust=False)["path"], secret.name).read_bytes() == SECRET


def test_foreign_recipe_clones_nothing_local(
    shelf: Shelf, upstream: Callable[..., Upstream], monkeypatch: pytest.MonkeyPatch
) -> None:
    private = upstream("private")
    private.commit("a.txt", "hi")
    commit = private.git("rev-parse", "HEAD")
    foreign(shelf, {"git": {"url": f"file://{private.path}", "checkout": commit}})
    with pytest.raises(UntrustedError):
        shelf.install("p", trust=False)
    assert shelf.install("p", trust=True)["path"]


def test_user_mirror_serves_every_recipe(shelf: Shelf, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_MIRRORS", f"https://host.invalid/={secret.parent.as_uri()}/")
    foreign(shelf, download(f"https://host.invalid/{secret.name}"))
    assert shelf.install("p", trust=False)["path"]


@pytest.mark.parametrize("name", ["../secret.txt", "%2e%2e/secret.txt", "a/..%2F../secret.txt"])
def test_url_cannot_escape_mirror(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK_MIRRORS", "https://host.invalid/=file:///srv/mirror/")
    source = Source((f"https://host.invalid/{name}",))
    assert with_local_mirrors(source) == source


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to a pipe", "loop", "NUL"])
def test_only_regular_files_are_copied(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "device":
        path = Path("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "NUL":
        path = tmp_path / "x\0"
    else:
        os.mkfifo(tmp_path / "pipe" if "link" in kind else path)
        if "link" in kind:
            path.symlink_to(tmp_path / "pipe")
    with pytest.raises(DownloadError):
        fetch(Source((path.as_uri(),), sha256="0" * 64))


@pytest.mark.parametrize("local", [True, False])
def test_file_of_unknown_size_leaves_disk_space(
    server: Server, ck_home: Path, tmp_path: Path, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(SECRET)
    url = (tmp_path / "f").as_uri() if local else server.give("/f", without_ranges(SECRET))
    monkeypatch.setattr(atomic, "SPARE", 1 << 62)  # more than any disk has
    with pytest.raises(StorageError, match="of the disk are kept free"):
        fetch_unknown(Source((url,)))
    assert list((ck_home / "CK-TOOLS/.cache/partial").iterdir()) == []
