"""Drift: every manual change in or behind a venv is detected and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unit.locks import add_package, make_venv, site

from ck_repo.environment.collect import locked_components
from ck_repo.environment.lockfile import NAME
from ck_repo.environment.locking import extend_lock, read_venv_lock, renew_lock
from ck_repo.environment.venv import Venv
from ck_repo.reproduce.replay import _fits
from ck_repo.resolve.component import read_component
from ck_repo.session import Session
from ck_repo.store.digest import of_value
from ck_repo.store.installed import read_installed
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Ck = Callable[..., Any]


@pytest.fixture
def locked(tmp_path: Path) -> Venv:
    """A venv with two packages and an installed data set, locked."""
    repositories, venv = Repositories(), make_venv()
    add_package(venv, "one", "1.0")
    add_package(venv, "two", "2.0")
    recipe = create_entry(repositories.writable(), "package", "set", {"tags": ["set"], "dataset": {}})
    folder = tmp_path / "installed"
    folder.mkdir()
    (folder / "a.json").write_text("{}")
    files = {"a.json": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}
    meta = {
        "key": "k", "name": "set", "path": str(folder), "file": str(folder / "a.json"), "dataset": {"images": "x"},
        "digest": of_value(files),
        "component": {
            "repository": "local", "module": "package", "alias": "set", "uid": recipe.uid,
            "digest": read_component(recipe).digest,
        },
    }  # fmt: skip
    create_entry(repositories.writable(), "env", "", meta)
    extend_lock(
        Session(repositories), venv, {}, locked_components(Session(repositories), [("dataset", read_installed(meta, "meta"))])
    )
    renew_lock(Session(repositories), venv)
    return venv


def found(ck: Ck, status: int = 10) -> list[dict[str, str]]:
    answer = ck("check", "venv:mine", "--out=json")
    assert answer.code == status, answer.err
    return list(answer.json["drift"])


def test_unchanged_venv_has_no_drift(ck: Ck, locked: Venv) -> None:
    assert found(ck, 0) == []


def test_changed_new_and_removed_packages(ck: Ck, locked: Venv) -> None:
    shutil.rmtree(site(locked) / "one-1.0.dist-info")
    add_package(locked, "one", "1.1")
    shutil.rmtree(site(locked) / "two-2.0.dist-info")
    add_package(locked, "three", "3.0")
    rows = {row["name"]: (row["locked"], row["here"]) for row in found(ck)}
    assert rows == {"one": ("1.0", "1.1"), "two": ("2.0", ""), "three": ("", "3.0")}


def test_touched_file(ck: Ck, locked: Venv) -> None:
    (site(locked) / "two.py").write_text("x = 'altered'\n")
    (row,) = found(ck)
    assert (row["name"], row["here"], row["remark"]) == ("two", "altered", "two.py")


def test_same_version_with_other_content(ck: Ck, locked: Venv) -> None:
    add_package(locked, "one", "1.0", content="x = 'another build'\n")
    (row,) = found(ck)
    assert (row["name"], row["remark"]) == ("one", "the same version with other content")


def test_edited_recipe(ck: Ck, locked: Venv) -> None:
    ck("update", "package:set", "--tags=set,edited")
    (row,) = found(ck)
    assert (row["kind"], row["name"]) == ("recipe", "set")


def test_changed_and_missing_installed_files(ck: Ck, locked: Venv, tmp_path: Path) -> None:
    (tmp_path / "installed/a.json").write_text("[]")
    (row,) = found(ck)
    assert (row["kind"], "was changed" in row["remark"]) == ("component", True)
    (tmp_path / "installed/a.json").unlink()
    (row,) = found(ck)
    assert "was removed" in row["remark"]


def test_lock_accepts_current_state(ck: Ck, locked: Venv, tmp_path: Path) -> None:
    add_package(locked, "three", "3.0")
    assert found(ck)
    answer = ck("lock", "venv:mine", f"--output={tmp_path / 'l.json'}")
    assert answer.code == 0
    assert found(ck, 0) == []
    assert json.loads((tmp_path / "l.json").read_text())["packages"]["three"]["version"] == "3.0"
    assert ck("lock", "venv:mine", f"--output={tmp_path / 'l.json'}").code == 4  # nothing is overwritten without --force


def test_venv_is_compared_with_any_lock(ck: Ck, locked: Venv, tmp_path: Path) -> None:
    content = json.loads((locked.entry.path / NAME).read_text())
    content["packages"]["one"]["version"] = "9.9"
    (tmp_path / "other.json").write_text(json.dumps(content))
    answer = ck("check", "venv:mine", f"--lock={tmp_path / 'other.json'}", "--out=json")
    assert [row["name"] for row in answer.json["drift"]] == ["one"]


def test_venv_with_other_content_is_not_used_for_replay(locked: Venv) -> None:
    repositories = Repositories()
    lock = read_venv_lock(Session(repositories), locked)
    assert _fits(Session(repositories), locked, "replay-0", lock, "")
    add_package(locked, "one", "1.0", content="x = 'another build'\n")
    assert not _fits(Session(repositories), locked, "replay-0", lock, "")
    assert not _fits(
        Session(repositories), locked, locked.name, lock, ""
    )  # nor one that was created from the lock and changed since
