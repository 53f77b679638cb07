"""A report has the table of ``--profile``."""

from __future__ import annotations

from collections.abc import Callable

from ck_repo.report.single import _performance_section
from ck_repo.report.subject import subject_of
from ck_repo.store.entry import Entry


def test_profile_is_a_table(experiment: Callable[..., Entry]) -> None:
    stages = dict.fromkeys(("queue_us", "batch_us", "packing_us", "loadgen_us", "harness_us", "idle_us"), 10.0)
    profile = {"samples": 10, "batches": 5, "sessions": 1, "framework_us": 50.0, **stages}
    section = _performance_section(subject_of(experiment(figures={"samples_per_second": 50.0, "profile": profile})))
    assert section is not None
    table = section.tables[-1]
    assert table.title == "Where the time of a sample goes"
    assert ("framework", "50.0", "50.0%") in table.rows
