"""Read LoadGen's summary and detail logs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from object_detection.errors import HarnessError

_LINE = re.compile(r"^(?P<key>[^:]+?)\s*:\s*(?P<value>.+)$")
_PERCENTILE = re.compile(r"^(\d+\.\d+) percentile latency \(ns\)$")
_MARK = ":::MLLOG"


def read_summary(path: Path) -> dict[str, str]:
    """The lines ``key : value`` of mlperf_log_summary.txt; the first of equal keys counts."""
    rows: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := _LINE.match(line.strip().removeprefix("* ")):
            rows.setdefault(match["key"], match["value"])
    return rows


def read_detail(path: Path) -> dict[str, Any]:
    """The keys of mlperf_log_detail.txt; the last of equal keys counts."""
    rows: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(_MARK):
            try:
                row = json.loads(line[len(_MARK) :])
            except ValueError:
                raise HarnessError(f"{path} is cut short") from None
            rows[row["key"]] = row["value"]
    return rows


def performance(folder: Path, scenario: str) -> dict[str, Any]:
    """The figures of a performance run.

    Returns
    -------
    dict
        ``valid``, ``queries``, ``duration_s`` (s), ``latency_ms`` (mean and raw percentiles, ms), and by scenario
        ``samples_per_second``, ``queries_per_second``, ``target_qps`` or ``samples_per_query``; ``reasons`` when not valid.
    """
    summary = read_summary(folder / "mlperf_log_summary.txt")
    detail = read_detail(folder / "mlperf_log_detail.txt")
    if "Result is" not in summary:
        raise HarnessError(f"{folder / 'mlperf_log_summary.txt'} has no result: LoadGen did not finish")
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
    found["errors"] = sum(
        '"is_error": true' in line for line in (folder / "mlperf_log_detail.txt").read_text(errors="replace").splitlines()
    )
    if not found["valid"]:
        found["reasons"] = _reasons(folder / "mlperf_log_summary.txt")
    return found


def _first(rows: dict[str, str], *keys: str) -> float:
    for key in keys:
        if key in rows:
            return float(rows[key])
    return 0.0


def _reasons(path: Path) -> list[str]:
    """Why a run is not valid, in LoadGen's words: the constraints that are not met, and its remarks, each on one line."""
    reasons: list[str] = []
    in_remark = False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.strip()
        if text.startswith("* "):
            reasons.append(text.removeprefix("* "))
            in_remark = True
        elif in_remark and line.startswith(" ") and text and " : " not in text:
            reasons[-1] += f" {text}"
        else:
            in_remark = False
            if text.endswith(": NO"):
                reasons.append(text)
    return reasons
