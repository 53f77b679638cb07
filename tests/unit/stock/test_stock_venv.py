"""Venvs of stock CK: how they are recognised, and the version of their Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from ck_repo.environment.venv import chosen_name, default_name, find_venv
from ck_repo.session import Session
from ck_repo.stock.venv import is_stock_venv, python_version
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

META = {"ck_activate": "bin/activate", "ck_activate_all": "env.sh", "python_bin": "/usr/bin/python3"}


def test_entry_itself_is_the_environment() -> None:
    entry = create_entry(Repositories().writable(), "venv", "theirs", META)
    (entry.path / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.9.2.final.0\n")
    venv = find_venv(Session(), "theirs")
    assert venv is not None
    assert (venv.folder, venv.version, venv.origin, venv.of_stock_ck) == (entry.path, "3.9.2", "stock CK", True)
    assert venv.python == entry.path / "bin" / "python"


def test_our_venv_is_not_a_stock_one() -> None:
    assert is_stock_venv(META)
    assert not is_stock_venv({**META, "template": "mlperf-inference-1.0"})
    assert not is_stock_venv({"template": "", "python_version": "3.11.7"})


@pytest.mark.parametrize(
    ("text", "version"),
    [("version = 3.10.13\n", "3.10.13"), ("home = x\nversion_info = 3.7.16.final.0\nimplementation = CPython\n", "3.7.16"),
     ("version_info =\n", ""), ("\0\xff", "")],
)  # fmt: skip
def test_version_in_pyvenv_cfg(text: str, version: str, tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text(text)
    assert python_version(tmp_path) == version


def test_version_of_old_virtualenv_comes_from_its_library(tmp_path: Path) -> None:
    assert python_version(tmp_path) == ""
    (tmp_path / "lib" / "python3.6" / "site-packages").mkdir(parents=True)
    assert python_version(tmp_path) == "3.6"


def test_default_does_not_use_stock_venv(monkeypatch: pytest.MonkeyPatch) -> None:
    create_entry(Repositories().writable(), "venv", "mlperf-inference", META)
    assert chosen_name() == default_name() == "mlperf-inference-ck"
    monkeypatch.setenv("CK_VENV", "/home/somebody/CK/local/venv/test")  # as stock CK sets it
    assert chosen_name() == "mlperf-inference-ck"
    monkeypatch.setenv("CK_VENV", "mlperf-inference")
    assert chosen_name() == "mlperf-inference"


def test_unreadable_meta_keeps_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = create_entry(Repositories().writable(), "venv", "mlperf-inference", META)
    (entry.path / ".cm" / "meta.json").write_text("{")
    assert default_name() == "mlperf-inference"
