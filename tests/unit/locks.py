"""Venvs and locks for tests of locks: a venv as far as its metadata goes."""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path

from bare_venv import MINOR, bare_venv

from ck_repo.environment.venv import Venv, read_venv
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


def make_venv(name: str = "mine") -> Venv:
    """A venv of `local` with this interpreter and no packages."""
    version = ".".join(map(str, sys.version_info[:3]))
    meta = {"template": "of-these-tests", "python_version": version}
    entry = create_entry(Repositories().writable(), "venv", name, meta)
    bare_venv(entry.path / "venv")
    return read_venv(Entry("local", "venv", name, entry.uid, entry.path))


def site(venv: Venv) -> Path:
    return venv.folder / f"lib/{MINOR}/site-packages"


def add_package(venv: Venv, name: str, version: str, content: str = "x = 1\n", tag: str = "py3-none-any") -> Path:
    """Put a package into a venv as an installer leaves it; return its one module."""
    module = site(venv) / f"{name}.py"
    module.write_text(content)
    info = site(venv) / f"{name}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
    rows = [f"{name}.py,sha256={digest},{len(content)}", f"{info.name}/INSTALLER,sha256=abc,4", f"{info.name}/RECORD,,"]
    (info / "RECORD").write_text("\n".join(rows) + "\n")
    (info / "INSTALLER").write_text("pip\n")
    return module
