"""The search for the highest valid target, on systems with a known limit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ck_repo.contract.results import Performance, Results
from ck_repo.errors import InterruptedByUser, RunError, StorageError
from ck_repo.rounds.round import load_round
from ck_repo.rounds.rules import rules_for
from ck_repo.run.options import RunOptions
from ck_repo.session import Session
from ck_repo.submit import targets
from ck_repo.submit.search_memory import SearchMemory
from ck_repo.submit.targets import Best, find_and_write, find_target


def measured(performance: Performance) -> Results:
    return Results(sessions=2, threads=1, batch_size=4, performance=performance)


class System:
    """A system that is valid up to a limit; a longer run may have a lower one.

    Attributes
    ----------
    limit
        The highest queries/s, or samples a query, whose p99 is within 50 ms.
    """

    def __init__(self, limit: float, rate: float, confirmed: float | None = None) -> None:
        self.limit, self.rate, self.confirmed = limit, rate, confirmed or limit
        self.asked: list[RunOptions] = []

    def run(self, options: RunOptions) -> Results:
        self.asked.append(options)
        if options.scenario == "offline":
            return measured(Performance(True, samples_per_second=self.rate))
        if options.scenario == "singlestream":
            return measured(Performance(True, {"p90": 7.25, "p99": 9.0}))
        target = options.target_qps or options.samples_per_query or 0
        limit = self.confirmed if (options.seconds or 0) > 5 else self.limit
        latency = 50.0 * target / limit
        return measured(Performance(latency <= 50, {"p99": latency}))


def search(system: System, scenario: str) -> Any:
    rules = rules_for(load_round(), "ssd-mobilenet").scenario(scenario)
    return find_target(RunOptions(scenario=scenario, seconds=1.0), rules, 50.0 if rules.latency_bound else None, system.run)


@pytest.mark.parametrize("limit", [3.0, 77.0, 199.0, 1500.0])
def test_server_target_is_within_two_percent_of_its_limit(limit: float) -> None:
    found = search(System(limit, 200.0), "server")
    assert found.key == "target_qps"
    assert 0.98 * limit * 0.999 <= found.value <= limit
    assert len(found.tries) <= 13
    assert found.confirmed.performance.valid


@pytest.mark.parametrize("limit", [1.0, 2.0, 7.0, 40.0, 100.0])
def test_multistream_samples_are_found_exactly(limit: float) -> None:
    found = search(System(limit, 400.0), "multistream")
    assert (found.key, found.value) == ("samples_per_query", limit)


def test_target_is_lowered_after_failed_longer_run() -> None:
    system = System(100.0, 150.0, confirmed=90.0)
    found = search(system, "server")
    assert 85 < found.value <= 90
    longest = max(options.seconds or 0 for options in system.asked)
    assert longest >= 3.0


def test_offline_and_singlestream_targets_are_measured_values() -> None:
    assert (search(System(1, 123.456), "offline").key, search(System(1, 123.456), "offline").value) == ("target_qps", 123.5)
    assert (search(System(1, 9), "singlestream").key, search(System(1, 9), "singlestream").value) == ("target_latency", 7.25)


def test_system_that_meets_no_target_is_reported() -> None:
    with pytest.raises(RunError, match="even"):
        search(System(1e-9, 100.0), "server")


def test_search_ends_if_latency_does_not_depend_on_rate() -> None:
    class Slow(System):
        def run(self, options: RunOptions) -> Results:
            found = super().run(options)
            if options.scenario == "server":
                return measured(Performance(False, {"p99": 60.0 + (options.target_qps or 0) / 1e3}))
            return found

    system = Slow(1.0, 100.0)
    with pytest.raises(RunError, match=r"p99 latency was 60\.\d+ ms, and the bound is 50 ms") as caught:
        search(system, "server")
    assert len(system.asked) <= 6
    assert "--target-latency=" in caught.value.hint


def test_large_miss_in_longer_run_is_not_followed_by_small_steps() -> None:
    system = System(100.0, 150.0, confirmed=30.0)
    found = search(system, "server")
    assert 20 < found.value <= 30
    assert sum((options.seconds or 0) > 2 for options in system.asked) <= 8


def test_later_runs_have_layout_of_the_first() -> None:
    system = System(50.0, 100.0)
    search(system, "server")
    assert {(row.sessions, row.threads, row.batch_size) for row in system.asked[1:]} == {(2, 1, 4)}


class Interrupted(System):
    """A system interrupted by Ctrl-C before a run."""

    def __init__(self, limit: float, rate: float, before: int) -> None:
        super().__init__(limit, rate)
        self.before = before

    def run(self, options: RunOptions) -> Results:
        if len(self.asked) == self.before:
            raise KeyboardInterrupt
        return super().run(options)


@pytest.fixture
def search_on(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`ck find performance` on a system, without its venv and harness."""

    def go(system: System, path: Path, scenario: str = "server") -> Any:
        ran = lambda session, plan, tags: SimpleNamespace(results=system.run(plan.options))  # noqa: E731
        monkeypatch.setattr(targets, "execute", ran)
        return find_and_write(Session(), RunOptions(scenario=scenario, seconds=1.0, mode="performance"), 50.0, path)

    return go


def test_interrupted_search_keeps_best_target_and_continues(search_on: Any, tmp_path: Path) -> None:
    path, whole = tmp_path / "user.conf", System(77.0, 200.0)
    path.write_text("*.Offline.target_qps = 5\n")
    with pytest.raises(InterruptedByUser, match="interrupted") as caught:
        search_on(Interrupted(77.0, 200.0, before=6), path)
    assert "continues" in caught.value.hint
    kept = path.read_text().splitlines()
    assert kept[0] == "*.Offline.target_qps = 5"
    assert 50 <= float(kept[1].rpartition("=")[2]) <= 77
    search_on(whole, path)
    found = float(path.read_text().splitlines()[1].rpartition("=")[2])
    assert 75 < found <= 77
    fresh = System(77.0, 200.0)
    search_on(fresh, tmp_path / "other.conf")
    assert len(whole.asked) == len(fresh.asked) - 6  # the six runs before Ctrl-C were not repeated


def test_unwritable_output_is_rejected_before_the_search(search_on: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    system = System(77.0, 200.0)
    with pytest.raises(StorageError):
        search_on(system, tmp_path / "file" / "user.conf")
    assert system.asked == []


def test_line_is_in_the_error_if_output_becomes_unwritable(search_on: Any, tmp_path: Path) -> None:
    place = tmp_path / "place"

    class Moved(System):
        def run(self, options: RunOptions) -> Results:
            if place.is_dir() and (options.seconds or 0) > 2:  # during confirmation
                place.rmdir()
                place.write_text("")
            return super().run(options)

    with pytest.raises(StorageError, match=r"the target is ssd-mobilenet\.Server\.target_qps = \d+"):
        search_on(Moved(77.0, 200.0), place / "user.conf")
    again = System(77.0, 200.0)
    search_on(again, tmp_path / "user.conf")
    assert again.asked == []  # all its runs are recorded


def test_best_target_is_below_failed_longer_run() -> None:
    best = Best()
    for run in ((10.0, True, False), (20.0, True, False), (40.0, False, False), (20.0, False, True)):
        best.consider(*run)
    assert best.value == 0
    best.consider(15.0, True, True)
    assert (best.value, best.confirmed) == (15.0, True)


def test_old_search_is_not_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    run = SearchMemory("subject").remembered(System(5.0, 10.0).run)
    run(RunOptions(scenario="offline"))
    system = System(5.0, 10.0)
    SearchMemory("subject").remembered(system.run)(RunOptions(scenario="offline"))
    assert system.asked == []
    monkeypatch.setattr("ck_repo.submit.search_memory._HOURS", 0)
    SearchMemory("subject").remembered(system.run)(RunOptions(scenario="offline"))
    assert len(system.asked) == 1
