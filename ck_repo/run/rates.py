"""The query rates of a run's tests, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ck_repo.rounds.scenario import INTERVALS, NEXT, ONE_QUERY, RATE, Scenario

MEASURED_SHARE = 0.25  # share of the measured rate that the harness uses as Server's target if none is given
_FULL_SPEED = "accuracy: each image once, as fast as possible"


def rates(modes: tuple[str, ...], scenario: Scenario, settings: Mapping[str, Any]) -> list[str]:
    """A line for each test.

    Parameters
    ----------
    modes
        ``accuracy``, ``performance`` or both.
    settings
        LoadGen's settings, as from `loadgen_settings`.
    """
    return [_FULL_SPEED if mode == "accuracy" else f"performance: {_performance(scenario, settings)}" for mode in modes]


def _performance(scenario: Scenario, settings: Mapping[str, Any]) -> str:
    target, seconds = settings.get("target_qps"), settings["min_duration_ms"] / 1e3
    how = {
        NEXT: "the next query when the last is answered",
        ONE_QUERY: "all samples in one query",
        INTERVALS: f"{target or 0:g} queries/s at fixed intervals",
        RATE: f"{target:g} queries/s at random"
        if target
        else f"queries at random, at {100 * MEASURED_SHARE:g} % of the rate that is measured first (--target-qps sets it)",
    }[scenario.issue]
    return f"{how}, for {seconds:g} s"
