"""A venv from a lock, with a local index that yanks, loses and replaces releases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration.package_index import Index
from integration.package_index import index as index

from ck_repo.environment.lockfile import LockedPackage
from ck_repo.machine.python_packages import installed_packages

Ck = Callable[..., dict[str, Any]]


def differences(answer: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    assert answer["return"] == 0, answer["error"]
    return {row["name"]: (row["locked"], row["here"], row["remark"]) for row in answer["differences"]}


def test_exactly_the_locked_packages(ck: Ck, index: Index, lock: Callable[..., str]) -> None:
    answer = ck("create", "venv:one", lock(lib=LockedPackage("1.0")))
    assert answer["packages"]["lib"] == "1.0"
    assert "other" not in answer["packages"]
    content = installed_packages(Path(answer["python"]))["lib"]
    again = ck("create", "venv:two", lock(lib=LockedPackage("1.0", content.content, content.tags)))
    assert "lib" not in differences(again)


def test_yanked_release_is_installed_with_warning(ck: Ck, index: Index, lock: Callable[..., str]) -> None:
    index.release("lib", "1.0", yanked="breaks on Mondays")
    found = differences(ck("create", "venv:one", lock(lib=LockedPackage("1.0"))))
    assert found["lib"] == ("1.0", "1.0", "withdrawn by its publisher (yanked): breaks on Mondays")


def test_missing_release_is_replaced_with_warning(ck: Ck, index: Index, lock: Callable[..., str]) -> None:
    found = differences(ck("create", "venv:one", lock(lib=LockedPackage("0.9"), other=LockedPackage("3.1+local"))))
    assert found["lib"][:2] == ("0.9", "1.0")
    assert "not available" in found["lib"][2]
    assert found["other"] == ("3.1+local", "3.1", "3.1+local is not on the index, 3.1 is")


def test_replaced_release_is_rejected(ck: Ck, index: Index, lock: Callable[..., str]) -> None:
    first = ck("create", "venv:one", lock(lib=LockedPackage("1.0")))
    known = installed_packages(Path(first["python"]))["lib"]
    index.release("lib", "1.0", content="import evil\n")
    answer = ck("create", "venv:two", lock(lib=LockedPackage("1.0", known.content, known.tags)))
    if answer["return"] == 0:  # the installer's cache still has the locked file
        assert installed_packages(Path(answer["python"]))["lib"] == known
        ck("rm", "venv:two")
    answer = ck("create", "venv:three", lock(lib=LockedPackage("1.0", "0" * 64, known.tags)))
    assert answer["return"] == 10
    assert "lib 1.0 differs from the lock" in answer["error"]
    assert "venv:three" not in json.dumps(ck("ls", "venv"))


def test_existing_venv_is_reused_if_it_matches_lock(ck: Ck, index: Index, lock: Callable[..., str]) -> None:
    made = ck("create", "venv:one", lock(lib=LockedPackage("1.0")))
    rows = {
        name: LockedPackage(row.version, row.content, row.tags)
        for name, row in installed_packages(Path(made["python"])).items()
    }
    assert ck("create", "venv:one", lock(**rows))["return"] == 0
    answer = ck("create", "venv:one", lock(lib=LockedPackage("9")))
    assert answer["return"] == 4
    assert "differs from the lock" in answer["error"]


def test_lock_conflict_is_reported_before_anything_is_created(ck: Ck, lock: Callable[..., str]) -> None:
    words = lock(lib=LockedPackage("1.0"))
    assert ck("create", "venv:one", words, "--template=mlperf-inference-1.0")["return"] == 2
    assert ck("create", "venv:one", words, "--python=3.4")["return"] == 9
    assert ck("create", "venv:../x", words)["return"] != 0


def test_intended_installation_is_not_drift(
    ck: Ck, index: Index, lock: Callable[..., str], package: Callable[..., Any]
) -> None:
    package("lib-other", python_package={"name": "other"})
    ck("create", "venv:one", lock(lib=LockedPackage("1.0")))
    assert ck("install", "package", "--tags=lib-other", "--venv=one", "--trust")["return"] == 0
    answer = ck("check", "venv:one")
    assert answer["return"] == 0, answer["error"]


def test_unneeded_package_of_foreign_lock_needs_trust(ck: Ck, index: Index, lock: Callable[..., str], tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    index.release("numpy", "1.26.0", needs="helper")
    index.release("helper", "2.0")
    index.release("helper", "3.0")
    index.release("more", "1.0", **{"more.pth": f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"})
    ours = lock(numpy=LockedPackage("1.26.0"), helper=LockedPackage("2.0"), more=LockedPackage("1.0"))
    strangers = tmp_path / "strangers.json"
    strangers.write_text((tmp_path / "lock.json").read_text() + "\n")
    answer = ck("create", "venv:one", f"--lock={strangers}")
    found = differences(answer)
    assert (answer["packages"]["numpy"], answer["packages"]["helper"]) == ("1.26.0", "2.0")  # as locked, not the newest
    assert found["more"][:2] == ("1.0", "")
    assert "allow it with --trust" in found["more"][2]
    assert ck("check", "venv:one")["return"] == 0
    assert not mark.exists()
    assert "more" in ck("create", "venv:two", f"--lock={strangers}", "--trust")["packages"]
    assert "more" in ck("create", "venv:three", ours)["packages"]  # written by this machine
