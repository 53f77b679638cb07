"""Experiments appear atomically; failed runs keep their logs, interrupted ones leave nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ck_repo.errors import ConflictError, NotFoundError, RunError, UsageError
from ck_repo.experiments.experiment import Recording, sweep
from ck_repo.session import Session
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load


@pytest.fixture
def repositories() -> Repositories:
    return Repositories()


def home(repositories: Repositories) -> Path:
    return repositories.get("local").path / "experiment"


def names(repositories: Repositories) -> list[str]:
    return [row.alias for row in find(repositories, "experiment")]


def record(repositories: Repositories, alias: str = "", repository: str = "") -> Recording:
    recording = Recording(Session(repositories), repository, alias)
    with recording.folder() as folder:
        (folder / "results.json").write_text("{}")
        recording.publish(folder, {"tags": ["experiment", "quick"]})
    return recording


def fail(repositories: Repositories, text: str = "no memory") -> RunError:
    def run() -> None:
        with Recording(Session(repositories)).folder() as folder:
            (folder / "stderr.log").write_text(text)
            raise RunError("the benchmark failed", log=folder / "stderr.log")

    with pytest.raises(RunError) as caught:
        run()
    return caught.value


def test_experiment_is_found_by_alias_uid_and_tags(repositories: Repositories) -> None:
    uid = record(repositories, "mine").uid
    by_alias, by_uid = load(repositories, "experiment", "mine"), load(repositories, "experiment", uid)
    assert by_alias == by_uid
    assert by_alias.uid == uid
    assert (by_alias.path / "results.json").exists()
    assert [row.alias for row in find(repositories, "experiment", tags="quick")] == ["mine"]


def test_experiment_is_invisible_until_complete(repositories: Repositories) -> None:
    recording = Recording(Session(repositories), "", "mine")
    with recording.folder() as folder:
        (folder / "spec.json").write_text("{}")
        assert names(repositories) == []
        recording.publish(folder, {})
    assert names(repositories) == ["mine"]
    assert not list(home(repositories).glob(".run-*"))


def test_existing_name_is_rejected_immediately(repositories: Repositories) -> None:
    record(repositories, "mine")
    with pytest.raises(ConflictError, match="experiment:mine already exists") as caught:
        Recording(Session(repositories), "", "mine")
    assert "--record=NAME" in caught.value.hint


@pytest.mark.parametrize("alias", ["a/b", "../a", ".hidden", "a:b", "a*"])
def test_invalid_folder_name_is_rejected(repositories: Repositories, alias: str) -> None:
    with pytest.raises(UsageError, match="is not a valid name"):
        Recording(Session(repositories), "", alias)


def test_record_in_another_repository(repositories: Repositories) -> None:
    repositories.add("my-results")
    record(repositories, "mine", "my-results")
    assert load(repositories, "experiment", "mine").repository == "my-results"
    record(repositories, "mine")  # the name is unused here
    with pytest.raises(NotFoundError):
        Recording(Session(repositories), "no-such", "mine")


def test_failed_run_keeps_logs_and_says_where(repositories: Repositories) -> None:
    error = fail(repositories, "no memory")
    assert Path(error.log).read_text() == "no memory"
    assert Path(error.log).parent.name.startswith(".failed-")
    assert names(repositories) == []
    assert not list(home(repositories).glob(".run-*"))


def test_interrupted_run_leaves_nothing(repositories: Repositories) -> None:
    def run() -> None:
        with Recording(Session(repositories)).folder() as folder:
            (folder / "performance").mkdir()
            (folder / "performance" / "mlperf_log_detail.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert [path.name for path in home(repositories).iterdir()] == [".cm"]


def test_failed_publication_keeps_results(repositories: Repositories) -> None:
    """Two concurrent runs with one name: the second one must not lose its results."""
    first, second = Recording(Session(repositories), "", "mine"), Recording(Session(repositories), "", "mine")

    def run(recording: Recording) -> None:
        with recording.folder() as folder:
            (folder / "results.json").write_text("{}")
            recording.publish(folder, {})

    run(first)
    with pytest.raises(ConflictError, match="mine already exists"):
        run(second)
    kept = home(repositories) / f".failed-{second.uid}"
    assert (kept / "results.json").exists()


def test_last_five_failures_are_kept(repositories: Repositories) -> None:
    logs = []
    for age in range(8, 0, -1):
        logs.append(Path(fail(repositories, f"{age} hours ago").log))
        stamp = time.time() - 3600 * age
        os.utime(logs[-1].parent, (stamp, stamp))
    assert [log.exists() for log in logs] == [False] * 3 + [True] * 5


def test_next_run_removes_folder_of_killed_process(repositories: Repositories) -> None:
    record(repositories, "first")
    killed = home(repositories) / ".run-0123456789abcdef"
    killed.mkdir()
    with Recording(Session(repositories)).folder() as folder:
        assert folder.exists()
        record(repositories, "second")  # concurrent runs do not remove each other's folders
        assert folder.exists()
    assert not killed.exists()


def test_internal_error_keeps_results(repositories: Repositories) -> None:
    def run() -> None:
        with Recording(Session(repositories)).folder() as folder:
            (folder / "results.json").write_text("{}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    (kept,) = home(repositories).glob(".failed-*")
    assert (kept / "results.json").exists()


def test_sweep_removes_only_leftovers_of_killed_runs(repositories: Repositories) -> None:
    repositories.add("my-results")
    record(repositories, "kept")
    record(repositories, "kept", "my-results")
    killed = [
        home(repositories) / ".run-00000000000000aa",
        repositories.get("my-results").path / "experiment" / ".run-00000000000000bb",
    ]
    for path in killed:
        path.mkdir()
    old, new = home(repositories) / ".lock-00000000000000cc", home(repositories) / ".lock-00000000000000dd"
    old.touch()
    new.touch()  # possibly of a run that is about to create its folder
    os.utime(old, (0, 0))
    with Recording(Session(repositories), "my-results").folder() as running:
        sweep(Session(repositories))
        assert running.exists()
    assert not any(path.exists() for path in killed)
    assert not old.exists()
    assert new.exists()
    assert sorted(names(repositories)) == ["kept", "kept"]


def test_sweep_skips_read_only_repository(repositories: Repositories, monkeypatch: pytest.MonkeyPatch) -> None:
    record(repositories, "mine")
    left = home(repositories) / ".run-00000000000000aa"
    left.mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root, which ignores file modes
    sweep(Session(repositories))
    assert left.exists()
