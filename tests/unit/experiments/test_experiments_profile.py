"""The table of ``--profile``."""

from __future__ import annotations

from ck_repo.contract.results import Profile
from ck_repo.experiments.profile import profile_lines, profile_rows

PROFILE = Profile(
    samples=400, batches=100, sessions=2, queue_us=12345.6, batch_us=10.0, framework_us=150.0, packing_us=20.0, loadgen_us=5.0,
    harness_us=5.0, idle_us=10.0,
)  # fmt: skip


def test_shares_are_of_session_time_without_queue() -> None:
    rows = profile_rows(PROFILE)
    assert rows[0] == ("queue", "12345.6", "")
    assert ("framework", "150.0", "75.0%") in rows
    assert sum(float(share.rstrip("%")) for _, _, share in rows if share) == 100


def test_lines_are_columns() -> None:
    first, *lines = profile_lines(PROFILE)
    assert "400 samples in 100 batches, 2 sessions" in first
    assert len({line.index("%") for line in lines if "%" in line}) == 1


def test_zero_duration_run_has_no_shares() -> None:
    nothing = Profile(1, 1, 1, *(0.0,) * 7)
    assert {share for _, _, share in profile_rows(nothing)} == {""}
    assert "1 session)" in profile_lines(nothing)[0]
