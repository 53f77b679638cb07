"""A toy benchmark, the log of its runs, and a lock of measurements of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from campaign_lab import Lab
from toy_benchmark import toy_benchmark

from ck_repo.store.entry import Entry


@pytest.fixture(autouse=True)
def own_lock(ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests measure beside each other, on machines that are never too busy."""
    monkeypatch.setenv("CK_MEASUREMENT_LOCK", str(ck_home / "measurement.lock"))
    monkeypatch.setenv("CK_SETTLE", "0")


@pytest.fixture
def log(ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file into which the toy writes a line a run."""
    monkeypatch.setenv("TOY_LOG", str(ck_home / "runs.txt"))
    return ck_home / "runs.txt"


@pytest.fixture
def program(ck_home: Path) -> Entry:
    """The toy benchmark."""
    return toy_benchmark()


@pytest.fixture
def lab(ck: Callable[..., Any], ck_home: Path) -> Iterator[Lab]:
    """A cluster of the toy benchmark's machines; its scheduler runs."""
    pytest.importorskip("distributed")
    pytest.importorskip("cryptography")
    toy_benchmark()
    assert ck("create", "cluster").code == 0
    found = Lab(ck_home)
    found.scheduler()
    yield found
    found.stop()
