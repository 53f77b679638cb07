"""Python interpreters of the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ck_repo.errors import DetectError
from ck_repo.machine.interpreter import find_interpreter, inspect_interpreter, interpreters

OURS = "{}.{}.{}".format(*sys.version_info[:3])
MINOR = "{}.{}".format(*sys.version_info[:2])


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_interpreters_are_found_once_and_ours_comes_first() -> None:
    found = list(interpreters())
    assert found[0].version == OURS
    assert len({row.path.resolve() for row in found}) == len(found)
    assert all(row.version[0].isdigit() and row.machine for row in found)


def test_fake_interpreter_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("python3.1", "exit 1"), ("python3.2", "echo '{}'"), ("python3.3", "echo noise")):
        program(tmp_path / "bin" / name, text)
    (tmp_path / "bin/python3.4").symlink_to(tmp_path / "absent")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert not [row for row in interpreters() if str(tmp_path) in str(row.path)]


def test_pyenv_interpreters_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = '{"version": "3.99.1", "implementation": "CPython", "machine": "m", "path": ""}'
    path = program(tmp_path / "pyenv/versions/3.99.1/bin/python3.99", f"echo '{row}'")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert find_interpreter("3.99").path == path


@pytest.mark.parametrize("wanted", ["", OURS, MINOR, f"python{MINOR}", f">={MINOR},<4", f"=={OURS}"])
def test_interpreter_is_found_by_version_or_range(wanted: str) -> None:
    found = find_interpreter(wanted)
    assert found.version.startswith(MINOR)
    assert found.implementation == "CPython"


def test_interpreter_is_found_by_path(tmp_path: Path) -> None:
    assert find_interpreter(sys.executable).version == OURS
    with pytest.raises(DetectError, match="is not a working Python interpreter"):
        find_interpreter(str(tmp_path / "absent"))
    with pytest.raises(DetectError, match="is not a working"):
        inspect_interpreter(program(tmp_path / "python3", "exit 0"))


def test_interpreter_is_found_by_name_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path / "bin/site-python", f'exec {sys.executable} "$@"')
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
    assert find_interpreter("site-python").version == OURS


def test_missing_version_error_lists_available_ones() -> None:
    with pytest.raises(DetectError, match=r"no Python 3\.98 on this machine") as caught:
        find_interpreter("3.98")
    assert f"{OURS} (" in caught.value.hint
