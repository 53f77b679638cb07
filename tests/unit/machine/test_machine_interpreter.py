"""Python interpreters of the machine."""

from __future__ import annotations

import os
import sys
import venv
from pathlib import Path

import pytest

from ck_repo.errors import DetectError
from ck_repo.machine.interpreter import ask, find_interpreter, inspect_interpreter, interpreters

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


@pytest.mark.parametrize(
    ("variable", "root", "folder"),
    [
        ("PYENV_ROOT", "pyenv", "pyenv/versions/3.99.1"),
        ("UV_PYTHON_INSTALL_DIR", "uv", "uv/cpython-3.99.1-linux-x86_64-gnu"),
        ("XDG_DATA_HOME", "share", "share/uv/python/cpython-3.99.1-linux-x86_64-gnu"),
        ("MISE_DATA_DIR", "mise", "mise/installs/python/3.99.1"),
        ("ASDF_DATA_DIR", "asdf", "asdf/installs/python/3.99.1"),
    ],
)
def test_interpreters_of_version_managers_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, root: str, folder: str
) -> None:
    row = '{"version": "3.99.1", "implementation": "CPython", "machine": "m", "path": ""}'
    path = program(tmp_path / folder / "bin/python3.99", f"echo '{row}'")
    for name in ("UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / root))
    assert find_interpreter("3.99").path == path


def test_interpreter_without_isolated_mode_is_inspected(tmp_path: Path) -> None:
    """Python 2.7 ends with an error if it is given -I."""
    path = program(tmp_path / "python2.7", f'case "$*" in *-I*) exit 2;; esac\nexec {sys.executable} "$@"')
    assert inspect_interpreter(path).version == OURS


@pytest.mark.parametrize("site", [False, True])
def test_inspection_runs_no_module_of_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: bool) -> None:
    for name in ("json", "platform", "site", "sitecustomize", "usercustomize", "encodings", "re"):
        (tmp_path / f"{name}.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = ask(Path(sys.executable), site=site)
    assert found
    assert found.version == OURS
    assert not (tmp_path / "ran").exists()


def test_search_runs_no_code_of_a_venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "v", with_pip=False)
    (packages,) = (tmp_path / "v/lib").glob("python*/site-packages")
    (packages / "any.pth").write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch(); print('noise')\n")
    monkeypatch.setenv("PATH", str(tmp_path / "v/bin"), prepend=os.pathsep)
    assert find_interpreter(str(tmp_path / "v/bin/python")).version == OURS
    assert find_interpreter(MINOR).version.startswith(MINOR)
    assert not (tmp_path / "ran").exists()


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
