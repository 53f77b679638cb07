"""Which venv is meant, and one whose interpreter is gone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ck_repo.errors import InstallError
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry
from ck_repo.venv.environment import Venv, chosen_name, find_venv, interpreter_of


@pytest.fixture
def venv() -> Venv:
    """An entry with a link to an interpreter, as virtualenv makes one."""
    repositories = Repositories()
    meta = {"template": "mlperf-inference-1.0", "python_version": "3.11.7"}
    entry = create_entry(repositories.writable(), "venv", "mine", meta)
    python = interpreter_of(entry.path / "venv")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    found = find_venv(repositories, "mine")
    assert found is not None
    return found


def test_venv_is_what_its_entry_says(venv: Venv) -> None:
    assert (venv.name, venv.template, venv.version) == ("mine", "mlperf-inference-1.0", "3.11.7")
    assert venv.python == venv.entry.path / "venv" / "bin" / "python"
    venv.check()


def test_venv_whose_python_was_removed_is_told_with_what_to_do(venv: Venv, tmp_path: Path) -> None:
    """The link stays when the system's Python is upgraded away."""
    venv.python.unlink()
    venv.python.symlink_to(tmp_path / "usr" / "bin" / "python3.9")
    with pytest.raises(InstallError, match=r"venv:mine has vanished: .*/usr/bin/python3\.9 is not there") as caught:
        venv.check()
    assert "`ck create venv:mine --template=mlperf-inference-1.0 --force`" in caught.value.hint


def test_venv_that_is_named_wins_over_the_active_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_name() == "mlperf-inference"
    monkeypatch.setenv("CK_VENV", "active")
    assert chosen_name() == "active"
    assert chosen_name("named") == "named"
    monkeypatch.setenv("CK_VENV", "")
    assert chosen_name() == "mlperf-inference"
