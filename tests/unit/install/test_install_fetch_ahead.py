"""Files of several packages are fetched concurrently; each package is installed once its own files are there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from patience import PATIENCE
from servers import Answer, Call, Server, status, whole

from ck_repo.errors import DownloadError
from ck_repo.install.fetch import Fetched
from ck_repo.install.fetch_ahead import FetchAhead
from ck_repo.install.installer import Installer
from ck_repo.machine.survey import survey
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.store.installed import Installed

if TYPE_CHECKING:
    from unit.install.conftest import Shelf


def step(url: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"download": {"url": url, "sha256": hashlib.sha256(content).hexdigest(), **more}}


def together(content: bytes, gate: threading.Barrier) -> Answer:
    """Answer once the gate has seen its number of requests."""

    def answer(call: Call) -> None:
        gate.wait(PATIENCE)
        whole(content)(call)

    return answer


def install(shelf: Shelf, names: Sequence[str]) -> dict[str, Installed]:
    resolver = Resolver(survey(Session(shelf.repositories)))
    return Installer(Session(shelf.repositories), None).install({name: resolver.resolve(name) for name in names})


def test_package_files_are_fetched_concurrently(shelf: Shelf, server: Server) -> None:
    gate = threading.Barrier(3)
    for name in ("a", "b", "c"):
        shelf.package(name, step(server.give(f"/{name}.bin", together(name.encode(), gate)), name.encode()))
    found = install(shelf, "abc")
    assert [Path(found[name].path, f"{name}.bin").read_text() for name in "abc"] == ["a", "b", "c"]
    assert sorted(server.requests) == [("/a.bin", ""), ("/b.bin", ""), ("/c.bin", "")]  # once each


def test_file_of_two_packages_is_fetched_once(shelf: Shelf, server: Server) -> None:
    url = server.give("/same.bin", whole(b"same"))
    for name in ("a", "b"):
        shelf.package(name, step(url, b"same"), step(server.give(f"/{name}.bin", whole(b"own")), b"own"))
    install(shelf, "ab")
    assert len(server.ranges("/same.bin")) == 1


def test_single_file_is_left_to_its_package(shelf: Shelf, server: Server) -> None:
    shelf.package("a", step(server.give("/a.bin", whole(b"a")), b"a"))
    assert Path(install(shelf, "a")["a"].path, "a.bin").read_text() == "a"
    assert not [thread for thread in threading.enumerate() if thread.name == "fetching ahead"]


def test_failure_is_reported_by_the_package(shelf: Shelf, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is that of the step, and the next command uses the file that the other package fetched."""
    monkeypatch.setenv("CK_RETRY_WAIT", "0.001")
    shelf.package("a", step(server.give("/a.bin", status(404)), b"a"))
    shelf.package("b", step(server.give("/b.bin", whole(b"b")), b"b"))
    with pytest.raises(DownloadError, match=r"downloading a.bin failed\n  .*/a.bin: .*404"):
        install(shelf, "ab")
    install(shelf, "b")
    assert len(server.ranges("/b.bin")) == 1


def test_wrong_file_is_rejected(shelf: Shelf, server: Server) -> None:
    """The digest is computed during the download."""
    shelf.package("a", step(server.give("/a.bin", whole(b"altered")), b"a"))
    shelf.package("b", step(server.give("/b.bin", whole(b"b")), b"b"))
    seen = hashlib.sha256(b"altered").hexdigest()
    with pytest.raises(DownloadError, match=f"expected, {seen} received"):
        install(shelf, "ab")


def test_file_without_digest_is_not_fetched_ahead(shelf: Shelf, server: Server) -> None:
    """The step decides whether a file may be fetched."""
    for name in ("a", "b"):
        shelf.package(name, {"download": {"url": server.give(f"/{name}.bin", whole(b"x"))}})
    with pytest.raises(DownloadError):
        install(shelf, "ab")
    assert not server.requests or {path for path, _ in server.requests} == {"/a.bin"}


@pytest.mark.parametrize(
    "later",
    [
        [],
        [{"copy": {"file": "other.txt", "to": "a.bin"}}],
        [{"move": {"file": "a.bin", "to": "b.bin"}}, {"copy": {"file": "other.txt", "to": "a.bin"}}],
    ],
    ids=["nothing", "copied over", "moved away"],
)
def test_digest_is_of_the_files_after_all_steps(shelf: Shelf, server: Server, later: list[dict[str, Any]]) -> None:
    first = step(server.give("/a.bin", whole(b"first")), b"first")
    shelf.package("a", first, *later, files={"other.txt": "other"}, file="a.bin")
    shelf.package("b", step(server.give("/b.bin", whole(b"b")), b"b"))
    found = install(shelf, "ab")["a"]
    assert found.digest == hashlib.sha256(Path(found.path, "a.bin").read_bytes()).hexdigest()


def test_second_download_to_same_name_counts(shelf: Shelf, server: Server) -> None:
    steps = [step(server.give(f"/{text}", whole(text.encode())), text.encode(), to="a.bin") for text in ("one", "two")]
    shelf.package("a", *steps, file="a.bin")
    found = install(shelf, "a")["a"]
    assert Path(found.file).read_text() == "two"
    assert found.digest == hashlib.sha256(b"two").hexdigest()


def test_file_removed_from_cache_is_fetched_again(shelf: Shelf, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        shelf.package(name, step(server.give(f"/{name}.bin", whole(name.encode()), whole(name.encode())), name.encode()))
    wait = FetchAhead.wait

    def wait_and_remove(self: FetchAhead, key: str) -> dict[str, Fetched]:
        fetched = wait(self, key)
        for path, _ in fetched.values():
            path.unlink()
        return fetched

    monkeypatch.setattr(FetchAhead, "wait", wait_and_remove)
    assert Path(install(shelf, "ab")["a"].path, "a.bin").read_text() == "a"
    assert len(server.ranges("/a.bin")) == 2
