"""The figures of a performance run, from LoadGen's logs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from object_detection.errors import HarnessError
from object_detection.logs import SUMMARY, read_detail, read_summary

_PERCENTILE = re.compile(r"^(\d+\.\d+) percentile latency \(ns\)$")


def performance(folder: Path, scenario: str) -> dict[str, Any]:
    """The figures of a performance run.

    Returns
    -------
    dict
        ``valid``, ``queries``, ``duration_s`` (s), ``latency_ms`` (mean and raw percentiles, ms), and by scenario
        ``samples_per_second``, ``queries_per_second``, ``target_qps`` or ``samples_per_query``; ``reasons`` when not valid.
    """
    log, events = read_summary(folder), read_detail(folder)
    summary, detail = log.values, events.values
    if "Result is" not in summary:
        raise HarnessError(f"{folder / SUMMARY} has no result: LoadGen did not finish")
    found: dict[str, Any] = {"valid": summary["Result is"] == "VALID"}
    latency = {}
    for key, value in summary.items():
        if match := _PERCENTILE.match(key):
            name = "p" + match[1].rstrip("0").rstrip(".").replace(".", "_")
            latency[name] = float(value) / 1e6
    if "Mean latency (ns)" in summary:
        latency["mean"] = float(summary["Mean latency (ns)"]) / 1e6
    if scenario == "offline":
        found["samples_per_second"] = float(summary["Samples per second"])
    elif scenario == "server":
        found["queries_per_second"] = _first(summary, "Completed samples per second", "Scheduled samples per second")
        found["scheduled_queries_per_second"] = _first(summary, "Scheduled samples per second", "Completed samples per second")
        found["target_qps"] = float(detail.get("requested_server_target_qps", 0) or 0)
    elif scenario == "multistream":
        found["samples_per_query"] = int(summary.get("samples_per_query", 0))
    found["latency_ms"] = {key: round(value, 6) for key, value in sorted(latency.items())}
    found["queries"] = int(detail.get("result_query_count", 0) or summary.get("Processed queries", 0) or 0)
    found["errors"] = events.errors
    if not found["valid"]:
        found["reasons"] = log.reasons
    return found


def _first(rows: dict[str, str], *keys: str) -> float:
    for key in keys:
        if key in rows:
            return float(rows[key])
    return 0.0
