"""The table of a run's parts."""

from __future__ import annotations

from ck_repo.contract.timings import Part
from ck_repo.experiments.timing_table import timing_lines


def test_columns_line_up_with_total_last() -> None:
    lines = timing_lines([Part("start of the harness", 0.25), Part("performance", 99.75)])
    assert lines == [
        "start of the harness     0.25 s    0 %",
        "performance             99.75 s  100 %",
        "total                  100.00 s",
    ]


def test_run_without_parts_has_only_a_total() -> None:
    assert timing_lines([]) == ["total     0.00 s"]
