"""`ck replay --dry-run` shows what a replay would run before anything is installed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ck_repo.environment.lockfile import NAME, Lock, LockedComponent, LockedPackage, write_lock
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import load
from ck_repo.store.writing import copy_entry, create_entry

Ck = Callable[..., Any]


@pytest.fixture
def experiment() -> Entry:
    """An experiment recorded on this machine, with a package that none of our recipes names."""
    program = load(Repositories(), "program", "object-detection")
    ran = LockedComponent("program", "program", "object-detection", "object-detection", uid=program.uid)
    packages = {"numpy": LockedPackage("1.26.4"), "surprise": LockedPackage("1.0")}
    entry = create_entry(Repositories().writable(), "experiment", "mine", {"tags": []})
    write_lock(entry.path / NAME, Lock({"version": "3.11.7"}, {"alias": "t"}, packages, (ran,), options={"seconds": 1}))
    return entry


def test_plan_names_program_and_packages_and_installs_nothing(ck: Ck, experiment: Entry, ck_home: Path) -> None:
    answer = ck("replay", "experiment:mine", "--dry-run", "--out=json").json
    assert answer["program"] == "mlperf-object-detection:program:object-detection"
    assert (answer["packages"], answer["others"], answer["own"]) == (["numpy==1.26.4"], ["surprise==1.0"], True)
    assert not list((ck_home / "CK/local").glob("venv/*/venv"))


def test_same_lock_written_elsewhere_is_foreign(ck: Ck, experiment: Entry, ck_home: Path) -> None:
    shutil.rmtree(ck_home / "CK/.index")
    done = ck("replay", "experiment:mine", "--dry-run")
    assert "with --trust: surprise==1.0" in done.out
    assert ck("replay", "experiment:mine", "--dry-run", "--trust", "--out=json").json["own"] is True


def test_foreign_program_needs_trust(ck: Ck, experiment: Entry) -> None:
    repositories = Repositories()
    theirs = copy_entry(load(repositories, "program", "object-detection"), repositories.add("theirs"), "program", "trap")
    path = experiment.path / NAME
    lock = json.loads(path.read_text())
    lock["components"][0] |= {"uid": theirs.uid, "alias": "trap"}
    path.write_text(json.dumps(lock))
    done = ck("replay", "experiment:mine", "--dry-run")
    assert done.code == 6
    assert "refused to run code of another repository: program of" in done.err
    assert "mlperf-object-detection:program:object-detection" in done.err


def test_out_of_range_options_are_rejected_first(ck: Ck, experiment: Entry) -> None:
    path = experiment.path / NAME
    lock = json.loads(path.read_text())
    lock["options"]["sessions"] = 100_000
    path.write_text(json.dumps(lock))
    done = ck("replay", "experiment:mine", "--dry-run")
    assert done.code == 3
    assert "sessions is 100000" in done.err


@pytest.mark.parametrize(
    "changed", [{"dataset": {"a": 1}}, {"added_tags": [1]}, {"model": ["x"]}, {"official": "x"}, {"mode": []}, {"device": {}}]
)
def test_options_of_wrong_type_are_rejected_first(ck: Ck, experiment: Entry, changed: dict[str, Any]) -> None:
    path = experiment.path / NAME
    lock = json.loads(path.read_text())
    lock["options"] |= changed
    path.write_text(json.dumps(lock))
    done = ck("replay", "experiment:mine", "--dry-run")
    assert done.code == 3
    assert f"option {next(iter(changed))} is" in done.err
