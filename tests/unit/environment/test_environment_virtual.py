"""A shell or a command with the variables of installed components."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stock_repositories import PIP, StockRepository
from stock_repositories import stock as stock

from ck_repo.environment.venv import Venv, read_venv
from ck_repo.environment.virtual import Named, conflicts, named, run_with, together
from ck_repo.errors import NotFoundError
from ck_repo.machine.python_packages import site_packages
from ck_repo.session import Session
from ck_repo.stock.variables import Variables
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


def env(alias: str, folder: Path, when: str, *tags: str) -> Entry:
    """An installed component."""
    folder.mkdir(exist_ok=True)
    meta = {"name": alias, "label": alias, "source": "package", "path": str(folder), "tags": list(tags), "installed": when}
    return create_entry(Repositories().writable(), "env", alias, meta)


@pytest.fixture
def venv(ck_home: Path) -> Venv:
    """A venv with one Python package."""
    meta = {"template": "toy", "python_version": "3.11.7"}
    entry = create_entry(Repositories().writable(), "venv", "mlperf-inference", meta)
    (entry.path / "venv" / "bin").mkdir(parents=True)
    (entry.path / "venv" / "bin" / "python").symlink_to(sys.executable)
    info = entry.path / "venv" / "lib" / "python3.11" / "site-packages" / "numpy-1.26.4.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").touch()
    return read_venv(entry)


def test_matching_entries_latest_first(tmp_path: Path) -> None:
    env("old", tmp_path / "o", "2024-01-01", "lib", "x")
    env("new", tmp_path / "n", "2025-01-01", "lib", "x")
    env("other", tmp_path / "t", "2025-01-01", "lib")
    assert [row.name for row in named(Session(), "", "x", None)] == ["new", "old"]


def test_entries_of_another_repository_are_ignored(tmp_path: Path) -> None:
    """A pulled repository could name any program for PATH."""
    other = Repositories().add("other")
    create_entry(other, "env", "theirs", {"tags": ["lib", "x"], "env": {"PATH": "/theirs/bin"}})
    env("mine", tmp_path / "m", "2024", "lib", "x")
    assert [row.name for row in named(Session(), "", "x", None)] == ["mine"]


def test_missing_entry_is_skipped_with_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = env("gone", tmp_path / "g", "2024", "x")
    (tmp_path / "g").rmdir()
    with pytest.raises(NotFoundError):
        named(Session(), "", "x", None)
    assert f"env:{entry.alias} is skipped: {tmp_path / 'g'} is missing" in capsys.readouterr().err


@pytest.mark.parametrize("tags", ["compiler,python", "compiler,python,v3", "compiler,python,v3.11"])
def test_python_of_venv(venv: Venv, tags: str) -> None:
    (row,) = named(Session(), "", tags, venv)
    assert row.variables.values["CK_ENV_COMPILER_PYTHON_FILE"] == str(venv.python)
    assert row.variables.searched == {"PATH": (str(venv.folder / "bin"),)}


def test_python_package_of_venv(venv: Venv) -> None:
    (row,) = named(Session(), "", "lib,python-package,numpy", venv)
    assert row.variables.values["CK_ENV_PYTHON_PACKAGE_NUMPY_VERSION"] == "1.26.4"
    assert row.variables.values["VIRTUAL_ENV"] == str(venv.folder)


def test_python_package_provided_by_stock_entry(venv: Venv, stock: StockRepository, ck: Callable[..., Any]) -> None:
    stock.package("lib-theirs", PIP, env={"PYTHON_PACKAGE_NAME": "numpy"}, tags="lib,python-package,theirs")
    tags, name = "--tags=lib,python-package,theirs", f"--venv={venv.name}"
    assert "export CK_ENV_PYTHON_PACKAGE_NUMPY_VERSION=" in ck("cat", "env", tags, name).out
    assert ck("show", "env", tags, name, "--out=json").json["python_packages"] == {"numpy": "1.26.4"}
    for wanted in (tags, "--tags=lib,python-package,numpy"):
        assert ck("locate", "env", wanted, name).out.strip() == str(site_packages(venv.python))
    assert "no env has the tag 'lib'" in ck("locate", "env", "--tags=lib,python-package,torch", name).err


@pytest.mark.parametrize("tags", ["lib,python-package,torch", "dataset,coco,2017,val,full"])
def test_installable_package_is_not_installed(venv: Venv, tags: str) -> None:
    with pytest.raises(NotFoundError, match="no installed or registered component has the tags") as caught:
        named(Session(), "", tags, venv)
    assert f"ck install package --tags={tags}" in caught.value.hint


def test_conflicting_values_of_one_variable() -> None:
    rows = [
        Named(name, Variables({"A": value, "B": value}))
        for name, value in (("one", "1"), ("two", "2"), ("three", "1"), ("four", "3"))
    ]
    assert together(rows).values == {"A": "1", "B": "1"}
    assert conflicts(rows) == [(rows[0], [rows[1], rows[3]])]
    assert conflicts([rows[0], rows[2]]) == []


def test_command_gets_variables_and_returns_its_status(capfd: pytest.CaptureFixture[str]) -> None:
    variables = Variables({"CK_ENV_X": "a  b"}, {"PATH": ("/first",)})
    assert run_with(variables, 'echo "$CK_ENV_X|$PATH"; exit 5') == 5
    assert capfd.readouterr().out == f"a  b|/first{os.pathsep}{os.environ['PATH']}\n"
