"""Commands that are killed, interrupted or out of disk space at random points leave the old or the new state.

``CK_FAULTS=N`` injects each fault N times into each command (`nox -s faults` uses 100, and writes docs/faults.md); without it
each command has one fault of one kind. ``CK_FAULTS_SEED`` repeats a campaign.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from faults.injection import KINDS, count, disturb, problems
from faults.operations import OPERATIONS

pytestmark = pytest.mark.slow
_TIMES = int(os.environ.get("CK_FAULTS", "0"))
_TABLE = os.environ.get("CK_FAULTS_TABLE")
_SEED = os.environ.get("CK_FAULTS_SEED", "1")
_CASES = [
    (name, kind)
    for number, name in enumerate(sorted(OPERATIONS))
    for kind in (KINDS if _TIMES else [KINDS[number % len(KINDS)]])
]


def _strike(name: str, kind: str, share: float, points: int, seed: Path, home: Path) -> str:
    """One fault and its outcome."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(seed, home, symlinks=True)
    operation = OPERATIONS[name]
    before = operation.state(home)
    done = disturb(operation, home, kind, share, points)
    if done.returncode in (98, 99) or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert "Traceback" not in done.stderr
    assert "bug in ck" not in done.stderr, done.stderr
    assert problems(home) == []
    after = operation.state(home)
    if after == before and done.returncode:
        return "old"
    again = home.with_name("undisturbed")
    shutil.rmtree(again, ignore_errors=True)
    home.rename(home.with_name("struck"))
    shutil.copytree(seed, home, symlinks=True)
    assert disturb(operation, home, "SIGKILL", 2.0, points).returncode == 0  # beyond the last point: no fault
    new = operation.state(home)
    shutil.rmtree(home.with_name("struck"))
    if name in ("unzip", "import") and after != new:  # several entries, each of them old or new
        assert all(row in [*_list(before), *_list(new)] for row in _list(after))
        return "some new"
    assert after == new
    return "new"


def _list(state: object) -> list[object]:
    return state if isinstance(state, list) else [state]


def _prepared(name: str, tmp_path: Path) -> tuple[Path, Path, int]:
    """A store to copy, the folder where commands run, and the number of points; paths in the store are those of the folder."""
    home, seed = tmp_path / "home", tmp_path / "seed"
    home.mkdir()
    OPERATIONS[name].prepare(home)
    shutil.copytree(home, seed, symlinks=True)
    return seed, home, count(OPERATIONS[name], home)


@pytest.mark.parametrize(("name", "kind"), _CASES)
def test_faults_leave_old_or_new_state(tmp_path: Path, name: str, kind: str) -> None:
    if kind == "ENOSPC" and not shutil.which("unshare"):
        pytest.skip("needs unshare, to mount a small disk")
    seed, home, points = _prepared(name, tmp_path)
    choose = random.Random(f"{_SEED} {name} {kind}")
    outcomes: Counter[str] = Counter()
    for _ in range(_TIMES or 1):
        share = choose.random()
        try:
            outcomes[_strike(name, kind, share, points, seed, home)] += 1
        except AssertionError as error:
            raise AssertionError(f"{name}, {kind} at {share} of {points} (CK_FAULTS_SEED={_SEED}): {error}") from error
    if _TABLE:
        with open(_TABLE, "a", encoding="utf-8") as file:
            file.write(json.dumps({"command": name, "fault": kind, "times": _TIMES, "outcomes": outcomes}) + "\n")
