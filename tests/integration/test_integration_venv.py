"""Venvs in an environment that would redirect packages elsewhere, and venvs that are recreated or lose packages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.package_index import Index
from integration.package_index import index as index

from ck_repo import child_environment as environment
from ck_repo.install import python_packages as installing
from ck_repo.machine.python_packages import site_packages
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry

Ck = Callable[..., dict[str, Any]]


@pytest.fixture
def template(package: Callable[..., Entry], index: Index, monkeypatch: pytest.MonkeyPatch) -> str:
    """A template of one Python package, which needs another; returns its name."""
    index.release("lib", "1.0", needs="other")
    package("lib-lib", python_package={"name": "lib"})
    entry = create_entry(Repositories().writable(), "env_templates", "toy", {})
    (entry.path / "template.yaml").write_text('python: ">=3.10"\ncomponents:\n  lib:\n    tags: lib-lib\n')
    monkeypatch.setattr(environment, "_named", set())
    return "--template=toy"


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What installs: uv, or pip where there is none."""
    if request.param == "pip":
        monkeypatch.setattr(installing, "_uv", lambda: "")
    return str(request.param)


LEADS_ELSEWHERE = {
    "PIP_TARGET": "elsewhere", "PIP_PREFIX": "elsewhere", "PIP_ROOT": "elsewhere", "PIP_USER": "1", "PIP_DRY_RUN": "1",
    "PIP_NO_DEPS": "1", "PIP_PYTHON": "/usr/bin/python3", "PYTHONUSERBASE": "elsewhere", "UV_PYTHON": "/usr/bin/python3",
    "UV_SYSTEM_PYTHON": "1", "VIRTUALENV_SYSTEM_SITE_PACKAGES": "1",
}  # fmt: skip


@pytest.mark.parametrize("names", [[name] for name in LEADS_ELSEWHERE] + [list(LEADS_ELSEWHERE)], ids=lambda names: names[0])
def test_redirecting_variable_is_ignored(
    ck: Ck, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    """One by one with pip, which obeys most of them, and all together."""
    monkeypatch.setattr(installing, "_uv", lambda: "")
    for name in names:
        value = LEADS_ELSEWHERE[name]
        monkeypatch.setenv(name, str(tmp_path / value) if value == "elsewhere" else value)
    made = ck("create", "venv:mine", template, "--trust")
    assert made["return"] == 0, made
    assert {"lib", "other"} <= set(made["packages"])
    assert not (tmp_path / "elsewhere").exists()


def test_redirecting_pip_file_is_ignored(
    ck: Ck, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installer: str
) -> None:
    (tmp_path / "pip.conf").write_text(f"[global]\ntarget = {tmp_path / 'elsewhere'}\nno-deps = yes\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert {"lib", "other"} <= set(ck("create", "venv:mine", template, "--trust")["packages"])
    assert not (tmp_path / "elsewhere").exists()


def test_installer_that_installs_nothing_is_detected(
    ck: Ck, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setattr(installing, "_uv", lambda: str(program))
    made = ck("create", "venv:mine", template, "--trust")  # pip does so
    assert "lib" in made["packages"]
    ck("rm", "venv:mine")
    monkeypatch.setattr(installing, "_run", lambda *words: 0)
    made = ck("create", "venv:mine", template, "--trust")
    assert made["return"] == 6
    assert "lib is missing" in made["error"]
    assert ck("ls", "venv")["lst"] == []


def test_recreated_venv_has_all_its_packages(ck: Ck, template: str) -> None:
    first = ck("create", "venv:mine", template, "--trust")
    again = ck("create", "venv:mine", template, "--trust", "--force")
    assert again["packages"] == first["packages"]
    assert "lib" in again["packages"]
    assert ck("check", "venv:mine")["drift"] == []
    code = "import lib, sys; sys.exit(lib.x)"
    assert subprocess.run([again["python"], "-c", code]).returncode == 1


def test_missing_template_package_is_drift(ck: Ck, template: str, tmp_path: Path) -> None:
    made = ck("create", "venv:mine", template, "--trust")
    folder = site_packages(Path(made["python"]))
    assert folder is not None
    for path in folder.glob("lib-1.0.dist-info/*"):
        path.unlink()
    ck("lock", "venv:mine", f"--output={tmp_path / 'lock.json'}")
    answer = ck("check", "venv:mine")
    assert answer["return"] == 10
    assert [(row["name"], row["remark"]) for row in answer["drift"]] == [("lib", "the template toy has it")]


def test_python_variables_are_removed_from_children_and_named_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ck: Ck, template: str, tmp_path: Path
) -> None:
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "sitecustomize.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (tmp_path / "evil" / "json.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "evil"))
    monkeypatch.setenv("LD_PRELOAD", str(tmp_path / "none.so"))
    monkeypatch.setenv("PIP_TARGET", "")
    words = ["create", "venv:mine", template, "--trust"]
    root = str(Path(environment.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {root!r}); from ck_repo.cli.main import main; main({words!r})"
    done = subprocess.run([sys.executable, "-E", "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("not passed on") == 1
    assert "LD_PRELOAD, PYTHONPATH\n" in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "LD_PRELOAD"])
def test_venv_command_does_not_get_them(
    ck: Ck, venv: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "none"))
    code = f"import os, sys; sys.exit({name!r} in os.environ)"
    assert ck("activate", "venv:mlperf-inference", "--out=json", "--", "python", "-c", code)["return"] == 0
