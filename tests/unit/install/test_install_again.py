"""Reinstall a package, or install it into a folder chosen by the user."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from servers import Server, whole

from ck_repo.contract.record import write
from ck_repo.errors import ConflictError, InstallError
from ck_repo.install.installer import Installer, InstallOptions
from ck_repo.machine.survey import survey
from ck_repo.resolve.resolver import Resolver
from ck_repo.session import Session
from ck_repo.store.search import find

if TYPE_CHECKING:
    from unit.install.conftest import Shelf

HELLO = {"copy": {"file": "hello.txt"}}


def install(
    shelf: Shelf, alias: str, *, again: bool = False, place: Path | None = None, refetch: bool = False
) -> dict[str, Any]:
    """Like `ck install package:ALIAS --rebuild --install_path=PLACE`; returns the env meta."""
    choice = Resolver(survey(Session(shelf.repositories)), again=again).resolve(alias)
    keys = [choice.key] if again else []
    places = {choice.key: place} if place else {}
    made = Installer(Session(shelf.repositories), None, options=InstallOptions(places, keys, refetch)).install({alias: choice})
    return write(made[alias])


def test_reinstall_replaces_changed_files(shelf: Shelf) -> None:
    shelf.package("hello", HELLO, files={"hello.txt": "hi"}, file="hello.txt")
    first = install(shelf, "hello")
    Path(first["file"]).write_text("changed")
    assert install(shelf, "hello")["file"] == first["file"]
    assert Path(first["file"]).read_text() == "changed"
    second = install(shelf, "hello", again=True)
    assert (second["file"], Path(first["file"]).read_text()) == (first["file"], "hi")
    assert len(find(shelf.repositories, "env")) == 1
    assert [name for name in os.listdir(Path(first["path"]).parent) if "hello" in name] == [Path(first["path"]).name]


def test_dependencies_are_not_reinstalled(shelf: Shelf) -> None:
    shelf.package("below", HELLO, files={"hello.txt": "hi"})
    shelf.package("above", HELLO, files={"hello.txt": "ho"}, deps={"below": {"tags": ["below"]}})
    install(shelf, "above")
    below = install(shelf, "below")
    Path(below["path"], "mark").touch()
    install(shelf, "above", again=True)
    assert Path(below["path"], "mark").exists()


def test_failed_reinstall_keeps_old_install(shelf: Shelf) -> None:
    entry = shelf.package("hello", HELLO, files={"hello.txt": "hi"})
    first = install(shelf, "hello")
    choice = Resolver(survey(Session(shelf.repositories)), again=True).resolve("hello")
    (entry.path / "hello.txt").unlink()
    with pytest.raises(InstallError, match="does not exist"):
        Installer(Session(shelf.repositories), None, options=InstallOptions(again=[choice.key])).install({"hello": choice})
    assert Path(first["path"], "hello.txt").read_text() == "hi"


def test_file_is_refetched_only_on_request(shelf: Shelf, server: Server) -> None:
    url = server.give("/a.bin", whole(b"content"))
    step = {"download": {"url": url, "sha256": hashlib.sha256(b"content").hexdigest()}}
    shelf.package("fetched", step)
    install(shelf, "fetched")
    before = len(server.requests)
    install(shelf, "fetched", again=True)
    assert len(server.requests) == before
    install(shelf, "fetched", again=True, refetch=True)
    assert len(server.requests) > before


def test_user_chosen_folder(shelf: Shelf, tmp_path: Path) -> None:
    shelf.package("hello", HELLO, files={"hello.txt": "hi"}, file="hello.txt")
    place = tmp_path / "some where" / "hello"
    meta = install(shelf, "hello", place=place)
    assert (meta["path"], meta["file"]) == (str(place), str(place / "hello.txt"))
    assert install(shelf, "hello")["path"] == str(place)  # the new one is used from now on


def test_non_empty_folder_is_rejected(shelf: Shelf, tmp_path: Path) -> None:
    for alias in ("hello", "other"):
        shelf.package(alias, HELLO, files={"hello.txt": alias})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    install(shelf, "other", place=tmp_path / "taken")
    for name in ("full", "taken"):
        with pytest.raises(ConflictError, match="is not empty"):
            install(shelf, "hello", place=tmp_path / name)
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    assert (tmp_path / "taken" / "hello.txt").read_text() == "other"


def test_empty_folder_is_used(shelf: Shelf, tmp_path: Path) -> None:
    shelf.package("hello", HELLO, files={"hello.txt": "hi"})
    (tmp_path / "empty").mkdir()
    assert install(shelf, "hello", place=tmp_path / "empty")["path"] == str(tmp_path / "empty")
