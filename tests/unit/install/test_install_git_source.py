"""A download that is a commit: its files and no others, whatever the repository does."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from upstreams import Upstream

from ck_repo.errors import ConfigError, DownloadError, OfflineError
from ck_repo.install.clean import clean_leftovers
from ck_repo.install.fetch import fetch
from ck_repo.install.git_source import read_commit
from ck_repo.install.source import Source, read_source
from ck_repo.store.fields import Fields

if TYPE_CHECKING:
    from conftest import Shelf


@pytest.fixture
def there(upstream: Callable[..., Upstream]) -> Upstream:
    """A repository with a folder that is wanted, and others."""
    row = upstream("theirs")
    row.commit("loadgen/a.cc", "one\r\n$Id$\n")
    row.commit("loadgen/deep/b.h", "two")
    row.commit("other/c", "three")
    (row.path / "loadgen/run.sh").write_text("#!/bin/sh\n")
    (row.path / "loadgen/run.sh").chmod(0o755)
    row.commit("loadgen/.gitattributes", "*.cc text ident eol=lf\n")
    return row


def url_of(there: Upstream, folder: str = "loadgen", commit: str = "") -> str:
    return f"git+file://{there.path}@{commit or there.git('rev-parse', 'HEAD')}" + (f"#subdirectory={folder}" if folder else "")


def names(path: Path) -> list[str]:
    with tarfile.open(path) as file:
        return file.getnames()


def test_the_files_of_the_folder_come_byte_by_byte(there: Upstream, shelf: Shelf) -> None:
    shelf.package("p", {"download": {"url": url_of(there), "unpack": True}})
    meta = shelf.install("p")
    files = {path.relative_to(meta["path"]).as_posix() for path in Path(meta["path"]).rglob("*") if path.is_file()}
    assert files == {".ck-install.json", *(f"loadgen/{name}" for name in (".gitattributes", "a.cc", "deep/b.h", "run.sh"))}
    # as they are in the commit: what its attributes ask for is not done
    assert Path(meta["path"], "loadgen/a.cc").read_bytes() == there.git("show", "HEAD:loadgen/a.cc").encode() + b"\n"
    assert Path(meta["path"], "loadgen/run.sh").stat().st_mode & 0o111
    (row,) = meta["downloads"]
    assert row["urls"] == [url_of(there)]


def test_a_commit_is_the_same_file_everywhere(there: Upstream, ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, digest = fetch(Source((url_of(there),)))
    monkeypatch.setenv("CK_TOOLS", str(ck_home / "elsewhere"))
    again, same = fetch(Source((url_of(there),)))
    assert digest == same
    assert first.read_bytes() == again.read_bytes()
    # a lock knows the digest, and a bundle brings the file: then git is not asked
    url = url_of(there)
    there.path.rename(there.path.with_name("gone"))
    assert fetch(Source((url,), sha256=digest))[1] == digest
    assert fetch(Source((url,)))[1] == digest


def test_everything_comes_where_no_folder_is_named_and_an_older_commit_is_found(there: Upstream) -> None:
    old = there.git("rev-parse", "HEAD~2")
    path, _ = fetch(Source((url_of(there, "", old),)))
    assert names(path) == [".ckr.json", "loadgen/a.cc", "loadgen/deep/b.h"]


@pytest.mark.parametrize(
    ("folder", "commit", "told"),
    [("loadgen", "0" * 40, "0000000000"), ("nowhere", "", "no folder nowhere"), ("load", "", "no folder load")],
)
def test_what_is_not_there_is_told_and_nothing_is_left(
    there: Upstream, ck_home: Path, folder: str, commit: str, told: str
) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch(Source((url_of(there, folder, commit),)))
    assert told in str(caught.value)
    assert [path for path in (ck_home / "CK-TOOLS").rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_a_repository_that_is_gone_is_told(there: Upstream) -> None:
    url = url_of(there)
    there.path.rename(there.path.with_name("gone"))
    with pytest.raises(DownloadError, match=r"does not appear to be a git repository|does not exist"):
        fetch(Source((url,)))


def test_a_mirror_on_this_machine_stands_in(there: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    public = url_of(there).replace(f"git+file://{there.path}", "git+https://example.org/theirs.git")
    monkeypatch.setenv("CK_OFFLINE", "1")
    with pytest.raises(OfflineError):
        fetch(Source((public,)))
    monkeypatch.setenv("CK_MIRRORS", f"git+https://example.org/theirs.git=git+file://{there.path}")
    path, _ = fetch(Source((public,)))
    assert "loadgen/a.cc" in names(path)


def test_what_a_killed_process_left_is_cleaned(there: Upstream, ck_home: Path) -> None:
    fetch(Source((url_of(there),)))
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
def test_what_is_no_whole_commit_is_refused(url: str) -> None:
    assert read_commit(url) is None
    with pytest.raises(ConfigError, match="nor a commit"):
        read_source(Fields({"url": url}, "recipe"))


def test_no_hook_and_no_filter_of_the_repository_runs(there: Upstream, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    there.commit("loadgen/.gitattributes", "* filter=evil\n")
    there.git("config", "filter.evil.smudge", f"touch {mark}")
    there.git("config", "uploadpack.packObjectsHook", f"touch {mark}")
    fetch(Source((url_of(there),)))
    assert not mark.exists()


def test_a_package_of_compiled_modules_is_for_one_python(shelf: Shelf, there: Upstream) -> None:
    from ck_repo.detect.survey import survey
    from ck_repo.resolve.resolver import Resolver

    def key(python: str, **meta: Any) -> str:
        return Resolver(survey(shelf.repositories, {}, python)).resolve("compiled").key

    shelf.package("compiled", {"download": {"url": url_of(there), "unpack": True}}, per_python=True)
    assert key("3.11.7") == key("3.11.9") != key("3.12.1")


def test_modules_that_a_recipe_promises_are_there(shelf: Shelf, there: Upstream) -> None:
    from ck_repo.errors import InstallError

    step = {"download": {"url": url_of(there), "unpack": True}}
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
