"""The content of a lock: packages of a venv, env entries, repositories."""

from __future__ import annotations

import re
import subprocess
from typing import Any

from unit.locks import add_package, make_venv

from ck_repo.environment.collect import locked_components, locked_packages, make_lock, repository_states, still_made
from ck_repo.environment.lockfile import LockedPackage
from ck_repo.environment.locking import extend_lock, read_venv_lock, renew_lock
from ck_repo.experiments.provenance import provenance
from ck_repo.resolve.component import read_component
from ck_repo.session import Session
from ck_repo.store.installed import Installed, read_installed
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


def test_wheel_content_does_not_depend_on_installer() -> None:
    one, other = make_venv("one"), make_venv("other")
    for venv in (one, other):
        add_package(venv, "lib", "1.0")
    info = next((other.folder / "lib").glob("*/site-packages/lib-1.0.dist-info"))
    rows = (info / "RECORD").read_text()
    (info / "RECORD").write_text(
        rows.replace("sha256=abc,4", "sha256=xyz,2")  # uv's marker is shorter
        + f"{info.name}/REQUESTED,sha256=q,0\n../../../bin/lib,sha256=z,9\n__pycache__/lib.cpython-311.pyc,,\n"
    )
    assert locked_packages(one.python) == locked_packages(other.python)
    add_package(other, "lib", "1.0", content="x = 2\n")
    assert locked_packages(one.python)["lib"].content != locked_packages(other.python)["lib"].content


def test_component_includes_its_source() -> None:
    repositories = Repositories()
    local = repositories.writable()
    source = {"key": "s", "name": "source", "digest": "1", "path": "/x", "component": {"alias": "src", "uid": "2" * 16}}
    made = {"key": "m", "name": "made", "digest": "3", "inputs": {"source": "s"}, "component": {"alias": "conv"}}
    for meta in (source, made):
        create_entry(local, "env", "", meta)
    library = Installed("numpy", requirement="numpy")
    rows = locked_components(Session(repositories), {"weights": read_installed(made, "made"), "library": library}.items())
    assert [(row.role, row.source, row.key) for row in rows] == [("source", "package", "s"), ("weights", "conversion", "m")]


def test_repositories_are_recorded_with_commit() -> None:
    repositories = Repositories()
    row = repositories.add("shared")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(row.path)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    repositories.add("not-used")
    clean = repository_states(Session(repositories), ["shared", "local", "shared"])
    (row.path / "new.txt").touch()
    changed = repository_states(Session(repositories), ["shared"])
    assert set(clean) == {"shared", "local"}
    assert re.fullmatch("[0-9a-f]{40}", clean["shared"].commit)
    assert (clean["shared"].changed, changed["shared"].changed) == (False, True)
    assert clean["local"].git is False


def test_clone_without_url_is_recorded_with_origin_without_password() -> None:
    repositories = Repositories()
    row = repositories.add("shared")
    for words in (["init", "-q"], ["remote", "add", "origin", "https://me:secret@example.org/team/r.git"]):
        subprocess.run(["git", "-C", str(row.path), *words], check=True, capture_output=True)
    assert repository_states(Session(repositories), ["shared"])["shared"].url == "https://example.org/team/r.git"


def test_packages_match_if_recorded_content_matches() -> None:
    one = LockedPackage("1.0", "a" * 64)
    assert one.same_as(LockedPackage("1.0"))
    assert not one.same_as(LockedPackage("1.0", "b" * 64))
    assert not one.same_as(LockedPackage("1.1", "a" * 64))


def test_run_records_venv_like_its_lock() -> None:
    venv = make_venv()
    assert venv.packages == {}
    add_package(venv, "numpy", "2.1.0")  # the run may have installed packages after the venv was first read
    found: dict[str, Any] = provenance(venv, make_lock(Session(), venv.python, {}))
    assert found["venv"]["packages"] == {"numpy": "2.1.0"}
    assert found["platform"]["cores_usable"] > 0


def test_venv_lock_records_only_installation_changes() -> None:
    repositories, venv = Repositories(), make_venv()
    add_package(venv, "kept", "1.0")
    renew_lock(Session(repositories), venv)
    add_package(venv, "kept", "1.0", content="altered by hand")
    before = {"kept": "1.0"}
    add_package(venv, "new", "2.0")
    extend_lock(Session(repositories), venv, before, ())
    lock = read_venv_lock(Session(repositories), venv)
    assert lock.packages["new"] == locked_packages(venv.python)["new"]
    assert lock.packages["kept"] != locked_packages(venv.python)["kept"]  # so that `ck check` still finds it


def test_result_of_edited_recipe_is_not_relocked() -> None:
    repositories = Repositories()
    local = repositories.writable()
    recipe = create_entry(local, "package", "thing", {"tags": ["thing"]})
    component = {"repository": "local", "module": "package", "alias": "thing", "uid": recipe.uid}
    meta = {"key": "k", "digest": "1", "component": {**component, "digest": read_component(recipe).digest}}
    create_entry(local, "env", "", meta)
    rows = locked_components(Session(repositories), [("dataset", read_installed(meta, "meta"))])
    assert still_made(Session(repositories), rows) == rows
    create_entry(local, "package", "thing", {"tags": ["thing", "edited"]}, uid=recipe.uid, replace=True)
    assert still_made(Session(repositories), rows) == ()
