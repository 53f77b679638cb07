"""The points of an experiment."""

from __future__ import annotations

from pathlib import Path

from ck_repo.record.points import points_of
from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


def test_a_run_has_its_tests(ck_home: Path) -> None:
    entry = create_entry(Repositories().writable(), "experiment", "a", {"spec": {"modes": ["accuracy", "performance"]}})
    assert points_of(entry) == ["accuracy", "performance"]


def test_an_experiment_of_another_ck_has_its_points(ck_home: Path) -> None:
    entry = create_entry(Repositories().writable(), "experiment", "a", {"tags": ["mlperf"]})
    for name in (
        "ckp-0123456789abcdef.0001.json",
        "ckp-0123456789abcdef.flat.json",
        "ckp-1123456789abcdef.0001.json",
        "x.json",
    ):
        (entry.path / name).write_text("{}")
    assert points_of(entry) == ["0123456789abcdef", "1123456789abcdef"]
