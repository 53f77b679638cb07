"""Which venv is selected, and venvs whose interpreter is missing."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bare_venv import bare_venv

from ck_repo.environment.venv import Venv, chosen_name, find_venv
from ck_repo.errors import InstallError
from ck_repo.session import Session
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


@pytest.fixture
def venv() -> Venv:
    """An entry with a link to an interpreter, as virtualenv creates it."""
    repositories = Repositories()
    meta = {"template": "mlperf-inference-1.0", "python_version": platform.python_version()}
    entry = create_entry(repositories.writable(), "venv", "mine", meta)
    bare_venv(entry.path / "venv")
    found = find_venv(Session(repositories), "mine")
    assert found is not None
    return found


def test_venv_matches_its_entry(venv: Venv) -> None:
    assert (venv.name, venv.template, venv.version) == ("mine", "mlperf-inference-1.0", platform.python_version())
    assert venv.python == venv.entry.path / "venv" / "bin" / "python"
    venv.check()


def test_venv_with_removed_python_says_what_to_do(venv: Venv, tmp_path: Path) -> None:
    """The link remains when the system's Python is upgraded."""
    venv.python.unlink()
    venv.python.symlink_to(tmp_path / "usr" / "bin" / "python3.9")
    with pytest.raises(InstallError, match=r"venv:mine is missing: .*/usr/bin/python3\.9 does not exist") as caught:
        venv.check()
    assert "`ck create venv:mine --template=mlperf-inference-1.0 --force`" in caught.value.hint


def test_named_venv_takes_precedence_over_active(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_name() == "mlperf-inference"
    monkeypatch.setenv("CK_VENV", "active")
    assert chosen_name() == "active"
    assert chosen_name("named") == "named"
    monkeypatch.setenv("CK_VENV", "")
    assert chosen_name() == "mlperf-inference"


# a venv that would silently run another Python or use another venv's packages


def _other_python(folder: Path) -> None:
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").write_text('#!/bin/sh\necho \'{"version": "3.99.1", "implementation": "CPython", '
                                           f'"machine": "x", "path": "", "prefix": "{folder}"}}\'\n')  # fmt: skip
    (folder / "bin" / "python").chmod(0o755)


def _replaced(folder: Path) -> None:
    shutil.rmtree(folder)
    bare_venv(folder.with_name("another"))
    folder.symlink_to(folder.with_name("another"))


def _silent(folder: Path) -> None:
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to("/bin/true")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no pyvenv.cfg": (lambda folder: (folder / "pyvenv.cfg").unlink(), "is damaged: .*pyvenv.cfg does not exist"),
    "no activate": (lambda folder: (folder / "bin" / "activate").unlink(), "is damaged: .*activate does not exist"),
    "no packages": (lambda folder: shutil.rmtree(folder / "lib"), "has no folder site-packages"),
    "no folder": (shutil.rmtree, "is missing"),
    "another Python": (_other_python, "was created with Python .*, and its Python is 3.99.1 now"),
    "another venv": (_replaced, "was replaced by a link"),
    "no Python": (_silent, "does not start"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_venv_is_detected_and_never_uses_another_python(venv: Venv, ck: Callable[..., Any], case: str) -> None:
    damage, message = BROKEN[case]
    venv.entry.path.joinpath(".cm/meta.json").write_text(
        json.dumps({**venv.entry.meta(), "path": str(venv.folder)})
    )  # as current ones
    damage(venv.folder)
    with pytest.raises(InstallError, match=message) as caught:
        venv.check()
    assert "--force" in caught.value.hint
    for words in (["check", "venv:mine"], ["activate", "venv:mine", "--", "python", "-c", "print('outer')"],
                  ["activate", "venv:mine", "--print"], ["run", "program:object-detection", "--venv=mine"]):  # fmt: skip
        answer = ck(*words)
        drifted = case == "another Python" and words[0] == "check"  # another version is drift, like another package
        assert answer.code == (10 if drifted else InstallError.code), words
        assert "venv:mine" in (answer.out if drifted else answer.err)
        assert "outer" not in answer.out


def test_moved_venv_is_detected(venv: Venv) -> None:
    meta = venv.entry.path / ".cm/meta.json"
    meta.write_text(json.dumps({**venv.entry.meta(), "path": str(venv.entry.path.with_name("before") / "venv")}))
    with pytest.raises(InstallError, match=r"was created in .*before/venv and is in .*mine/venv now"):
        venv.check()


def test_ck_folders_may_be_links(venv: Venv, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(venv.entry.path)
    meta = venv.entry.path / ".cm/meta.json"
    meta.write_text(json.dumps({**venv.entry.meta(), "path": str(tmp_path / "link" / "venv")}))
    venv.check()


def test_venv_from_lock_is_recreated_from_lock(venv: Venv) -> None:
    meta = venv.entry.path / ".cm/meta.json"
    meta.write_text(json.dumps({**venv.entry.meta(), "template": "lock"}))
    (venv.entry.path / "lock.json").write_text("{}")
    venv.python.unlink()
    found = find_venv(Session(), "mine")
    assert found is not None
    with pytest.raises(InstallError) as caught:
        found.check()
    assert f"--lock={venv.entry.path / 'lock.json'}" in caught.value.hint


# listed packages whose files are missing


def _package(venv: Venv) -> Path:
    """A package in a folder, a folder without ``__init__.py``, a module and a script."""
    site = venv.folder / "lib" / f"python{venv.version.rpartition('.')[0]}" / "site-packages"
    info = site / "Some_Pack.age-1.0.dist-info"
    files = ["pack/__init__.py", "pack/part/more.py", "pack.libs/lib.so", "single.py"]
    for path in [site / name for name in files] + [info / "METADATA"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    others = ["../../../bin/tool", "__pycache__/single.cpython-311.pyc", f"{info.name}/METADATA", f"{info.name}/RECORD"]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in [*files[::-1], *others]))
    return site


@pytest.mark.parametrize("gone", ["pack", "pack/__init__.py", "pack.libs", "single.py"])
def test_missing_packages_are_reported(venv: Venv, ck: Callable[..., Any], gone: str) -> None:
    site = _package(venv)
    venv.check_packages()
    shutil.rmtree(site / gone) if (site / gone).is_dir() else (site / gone).unlink()
    with pytest.raises(InstallError, match=r"lists some-pack-age as installed, but .* does not exist") as caught:
        venv.check_packages()
    assert "`ck check venv:mine`" in caught.value.hint
    assert "--template=mlperf-inference-1.0 --force`" in caught.value.hint
    entered = ck("activate", "venv:mine", "--print")
    assert entered.code == 0
    assert "lists some-pack-age as installed" in entered.err
    run = ck("run", "program:object-detection", "--venv=mine", "--dry-run")
    assert run.code == 6
    assert "lists some-pack-age as installed" in run.err
