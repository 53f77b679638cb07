"""Repetitions of a run: their median and spread."""

from __future__ import annotations

from ck_repo.experiments.meta import ExperimentMeta, read_meta
from ck_repo.experiments.repetitions import spread_of


def _run(rate: float | None) -> ExperimentMeta:
    performance = {"valid": True, "samples_per_second": rate} if rate else None
    return read_meta({"results": {"model": "m", "scenario": "offline", "performance": performance}}, "test")


def test_median_and_spread() -> None:
    found = spread_of([_run(90.0), _run(110.0), _run(100.0)])
    assert found is not None
    assert (found.median, found.low, found.high) == (100.0, 90.0, 110.0)
    assert found.line() == "3 runs: median 100 samples/s, from 90 to 110 (spread 20 %)"


def test_single_run_or_accuracy_only_has_no_spread() -> None:
    assert spread_of([_run(90.0)]) is None
    assert spread_of([_run(None), _run(None)]) is None
