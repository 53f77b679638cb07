"""The metrics of a performance run, from LoadGen's logs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from object_detection.contract.logs import SUMMARY, Detail
from object_detection.contract.results import Performance
from object_detection.errors import HarnessError
from object_detection.logs import read_detail, read_summary

_PERCENTILE = re.compile(r"^(\d+\.\d+) percentile latency \(ns\)$")


def performance(folder: Path, scenario: str) -> Performance:
    """The metrics of a performance run in LoadGen's logs.

    Raises
    ------
    HarnessError
        If LoadGen did not finish.
    """
    log, events = read_summary(folder), read_detail(folder)
    summary, detail = log.values, events.values
    if "Result is" not in summary:
        raise HarnessError(f"{folder / SUMMARY} has no result: LoadGen did not finish")
    valid = summary["Result is"] == "VALID"
    latency = {}
    for key, value in summary.items():
        if match := _PERCENTILE.match(key):
            name = "p" + match[1].rstrip("0").rstrip(".").replace(".", "_")
            latency[name] = float(value) / 1e6
    if "Mean latency (ns)" in summary:
        latency["mean"] = float(summary["Mean latency (ns)"]) / 1e6
    found = Performance(
        valid=valid,
        latency_ms={key: round(value, 6) for key, value in sorted(latency.items())},
        queries=int(events.number("result_query_count") or summary.get("Processed queries", 0) or 0),
        errors=len(events.errors),
        reasons=() if valid else tuple(log.reasons),
        early_stopping_met=bool(detail["early_stopping_met"]) if "early_stopping_met" in detail else None,
        early_stopping_latency_ms=_early_stopping(events),
    )
    if scenario == "offline":
        return replace(found, samples_per_second=float(summary["Samples per second"]))
    if scenario == "server":
        return replace(
            found,
            queries_per_second=_first(summary, "Completed samples per second", "Scheduled samples per second"),
            scheduled_queries_per_second=_first(summary, "Scheduled samples per second", "Completed samples per second"),
            target_qps=events.number("requested_server_target_qps") or 0.0,
        )
    if scenario == "multistream":
        return replace(found, samples_per_query=int(summary.get("samples_per_query", 0)))
    return found


# by percentile: the events with early stopping's estimates, in ns, in any scenario
_ESTIMATES = {"p90": "early_stopping_latency_ss", "p99": "early_stopping_latency_ms"}


def _early_stopping(events: Detail) -> dict[str, float]:
    """Early stopping's estimates of latencies in ms; missing ones, for which there were too few queries, are skipped."""
    logged = {name: events.number(key) or 0.0 for name, key in _ESTIMATES.items()}
    return {name: round(value / 1e6, 6) for name, value in logged.items() if value}


def early_stopping_alone(folder: Path) -> bool:
    """Whether a run is only INVALID because of early stopping: LoadGen's other constraints are met."""
    detail = read_detail(folder).values
    met = [detail.get(f"result_{name}_met", True) for name in ("perf_constraints", "min_duration", "min_queries")]
    return detail.get("result_validity") == "INVALID" and all(met) and not detail.get("early_stopping_met", True)


def _first(rows: dict[str, str], *keys: str) -> float:
    for key in keys:
        if key in rows:
            return float(rows[key])
    return 0.0
