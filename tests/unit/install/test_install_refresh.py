"""`ck refresh env` checks registered and installed components again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ck_repo.install.refresh import Refreshed, check, refresh
from ck_repo.machine.register import detect, problem, register
from ck_repo.session import Session
from ck_repo.stock.environment import read_env
from ck_repo.store.entry import Entry
from ck_repo.store.folders import default_repository_root
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load
from ck_repo.store.writing import create_entry

if TYPE_CHECKING:
    from unit.install.conftest import Shelf

DEMO = default_repository_root() / "package" / "model-demo-ssd" / "demo_ssd.onnx"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file of the user's."""
    return Path(shutil.copy(DEMO, tmp_path / "mine.onnx"))


def registered(path: Path) -> Entry:
    soft = load(Repositories(), "soft", "model.onnx")
    return register(Session(), detect(soft, path, {}), ["mine"])


def state(entry: Entry) -> str:
    return refresh(Session(), entry).state


def test_unchanged_registered_file(model: Path) -> None:
    assert state(registered(model)) == "unchanged"


def test_changed_registered_file_is_reread(model: Path) -> None:
    entry = registered(model)
    with open(model, "ab") as file:  # a field that readers of the format ignore
        file.write(b"\x9a\x06\x01x")
    assert problem(read_env(entry))
    assert state(entry) == "read again"
    again = load(Repositories(), "env", entry.uid)
    assert (again.tags(), problem(read_env(again))) == (entry.tags(), "")
    assert state(again) == "unchanged"


def test_registered_file_that_is_no_longer_a_model(model: Path) -> None:
    entry = registered(model)
    model.write_text("no model")
    found = refresh(Session(), entry)
    assert (found.state, found.fine) == ("changed", False)
    assert "it cannot be read again" in found.advice


def test_install_without_folder_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is not used instead."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("of the user's")
    entry = create_entry(Repositories().writable(), "env", "", {"source": "package", "name": "odd"})
    assert state(entry) == "gone"


def test_missing_registered_file(model: Path) -> None:
    entry = registered(model)
    model.unlink()
    found = refresh(Session(), entry)
    assert (found.state, found.fine) == ("gone", False)
    assert f"ck rm env:{entry.uid}" in found.advice


@pytest.mark.parametrize(
    ("damage", "expected"),
    [("", "unchanged"), ("change", "changed"), ("remove", "gone")],
)
def test_installed_package(shelf: Shelf, damage: str, expected: str) -> None:
    shelf.package("hello", {"copy": {"file": "hello.txt"}}, files={"hello.txt": "hi"}, file="hello.txt")
    meta = shelf.install("hello")
    if damage == "change":
        Path(meta["file"]).write_text("changed")
    if damage == "remove":
        shutil.rmtree(meta["path"])
    assert state(find(shelf.repositories, "env")[0]) == expected


def test_entry_of_another_ck(tmp_path: Path) -> None:
    place = tmp_path / "lib"
    place.mkdir()
    meta = {"tags": ["lib"], "env": {"CK_ENV_LIB": str(place)}, "customize": {"full_path": str(place)}}
    entry = create_entry(Repositories().writable(), "env", "stock", meta, name="a library")
    assert refresh(Session(), entry) == Refreshed("a library", "unchanged")
    place.rmdir()
    assert state(entry) == "gone"


# checked without changes


def test_registered_file_is_checked_by_content(model: Path) -> None:
    entry = registered(model)
    os.utime(model, (1, 1))  # another modification time, same content
    assert check(Session(), entry).state == "unchanged"
    with open(model, "ab") as file:
        file.write(b"\x9a\x06\x01x")
    before = entry.meta()
    found = check(Session(), entry)
    assert (found.state, found.advice) == (
        "changed",
        f"{model} was changed: `ck refresh env:{entry.uid}` registers its current state",
    )
    assert entry.meta() == before
    model.unlink()
    assert check(Session(), entry).state == "gone"


def test_check_env_exits_10_if_an_installed_file_changed(shelf: Shelf, ck: Callable[..., Any]) -> None:
    shelf.package("p", {"copy": {"file": "m.txt"}}, files={"m.txt": "weights"}, file="m.txt")
    path = Path(shelf.install("p")["file"])
    assert ck("check", "env").code == 0
    path.chmod(0o644)
    path.write_text("other")
    done = ck("check", "env", "--out=json")
    assert (done.code, [row["state"] for row in done.json["lst"]]) == (10, ["changed"])
    assert "ck install package:p --reinstall" in done.json["lst"][0]["advice"]
