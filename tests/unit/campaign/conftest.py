"""A toy benchmark, the log of its runs, and a lock of measurements of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_benchmark import toy_benchmark

from ck_repo.store.entry import Entry


@pytest.fixture(autouse=True)
def own_lock(ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests measure beside each other."""
    monkeypatch.setenv("CK_MEASUREMENT_LOCK", str(ck_home / "measurement.lock"))


@pytest.fixture
def log(ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file into which the toy writes a line a run."""
    monkeypatch.setenv("TOY_LOG", str(ck_home / "runs.txt"))
    return ck_home / "runs.txt"


@pytest.fixture
def program(ck_home: Path) -> Entry:
    """The toy benchmark."""
    return toy_benchmark()
