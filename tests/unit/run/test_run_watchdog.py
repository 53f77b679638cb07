"""The time limit of a batch, and how progress of the sessions is read."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ck_repo.errors import RunError, UsageError
from ck_repo.run.watchdog import VARIABLE, Running, Watchdog, allowed, overdue, patience, read_running


def running(since: float = 100.0, slowest: float = 0.0, images: int = 1) -> Running:
    return Running(since, slowest, 7, images, "7.png")


@pytest.mark.parametrize(
    ("images", "slowest", "seconds"),
    [(1, 0.0, 300), (4, 0.0, 1200), (1, 0.01, 60), (8, 0.25, 60), (1, 10.0, 200), (4, 10.0, 800)],
)
def test_rule(images: int, slowest: float, seconds: float) -> None:
    assert allowed(running(images=images), slowest) == seconds


def test_loading_has_its_own_time_limit() -> None:
    loading = Running(5.0, 0.0, -1, 1, "")
    assert [allowed(loading, 0.1, fixed) for fixed in (None, 2.0, math.inf)] == [1800, 1800, math.inf]
    assert overdue([loading], 1804.0) is None
    assert overdue([loading], 1806.0) == loading


def test_slowest_session_counts_and_longest_wait_is_reported() -> None:
    rows = [running(since=0.0, slowest=10.0), running(since=50.0), running(since=20.0)]
    assert overdue(rows, 219.0) is None
    late = overdue(rows, 260.0)
    assert late is not None
    assert late.since == 20.0


def test_idle_session_is_never_late() -> None:
    assert overdue([running(since=0.0, slowest=0.1)], 1e9) is None


def test_user_sets_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "5")
    assert patience() == 5
    monkeypatch.setenv(VARIABLE, "0")
    assert patience() == math.inf
    monkeypatch.delenv(VARIABLE)
    assert patience() is None


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_invalid_time_limit_is_rejected(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UsageError, match=f"{VARIABLE}={text} is not a number of seconds"):
        patience()


def test_unreadable_lines_are_ignored(tmp_path: Path) -> None:
    line = '000000000012.500000 000000000000.250000 7 2 "a b.png"'
    (tmp_path / "asked.txt").write_text(f"{line.ljust(511)}\nhalf of a li\n\n0 0 -1 0 no json\n")
    assert read_running(tmp_path) == [Running(12.5, 0.25, 7, 2, "a b.png")]
    assert read_running(tmp_path / "nowhere") == []


def test_watchdog_says_what_it_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watchdog(tmp_path, "toy")
    watch()  # no query yet
    (tmp_path / "asked.txt").write_text('000000000000.000001 000000000000.000000 -1 1 ""\n')
    loading = Watchdog(tmp_path, "toy")
    monkeypatch.setattr("time.monotonic", lambda: 1e6)
    with pytest.raises(RunError, match="the backend toy has not loaded the model for 1000000 s, since "):
        loading()
    (tmp_path / "asked.txt").write_text('000000000000.000001 000000000000.000001 7 4 "a.png"\n')
    with pytest.raises(RunError, match=r"the backend toy has not answered a batch of 4 samples, the first sample 7 \(a.png\)"):
        watch()
