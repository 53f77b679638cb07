"""An experiment as a table that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary_line(meta: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Model, scenario, mAP, performance and time of an experiment, for a list."""
    results = meta.get("results") or {}
    return (
        str(results.get("model", "?")),
        str(results.get("scenario", "?")),
        accuracy_text(results),
        performance_text(results),
        str(meta.get("recorded", "")),
    )


def accuracy_text(results: Mapping[str, Any]) -> str:
    """mAP of a run, on a scale of 0 to 1."""
    accuracy = results.get("accuracy")
    return f"{accuracy['mAP']:.4f}" if accuracy else "-"


def performance_text(results: Mapping[str, Any]) -> str:
    """The scenario's figure with its unit, and a mark when the run is not valid."""
    row = results.get("performance")
    if not row:
        return "-"
    latency = row.get("latency_ms", {})
    scenario = results.get("scenario")
    if scenario == "offline":
        text = f"{row['samples_per_second']:.1f} samples/s"
    elif scenario == "server":
        text = f"{row['queries_per_second']:.1f} queries/s, p99 {latency.get('p99', 0):.2f} ms"
    elif scenario == "multistream":
        text = f"{row['samples_per_query']} samples/query, p99 {latency.get('p99', 0):.2f} ms"
    else:
        text = f"p90 {latency.get('p90', 0):.3f} ms"
    return text if row.get("valid") else f"{text} (INVALID)"


def experiment_lines(name: str, meta: Mapping[str, Any]) -> list[str]:
    """All that a person asks first of an experiment."""
    results, platform, venv = meta.get("results") or {}, meta.get("platform") or {}, meta.get("venv") or {}
    accuracy, performance = results.get("accuracy"), results.get("performance")
    rows: list[tuple[str, str]] = [("experiment", name), ("recorded", str(meta.get("recorded", "")))]
    rows += [
        ("model", f"{results.get('model')} ({str(_digest(meta, 'model'))[:12]})"),
        ("data set", f"{results.get('dataset')}, {results.get('images')} images"),
        ("backend", f"{results.get('backend')} {results.get('backend_version')} on {results.get('device')}"),
        ("sessions", f"{results.get('sessions')} × {_threads(results.get('threads'))}, batch {results.get('batch_size')}"),
        ("scenario", f"{results.get('scenario')}, LoadGen {results.get('loadgen_version')}{', official' if results.get('official') else ''}"),
    ]
    if accuracy:
        rows.append(("accuracy", f"mAP {accuracy['mAP']:.4f}, AP50 {accuracy['AP50']:.4f}, AP75 {accuracy['AP75']:.4f}, {accuracy['detections']} detections"))
    if performance:
        rows.append(("performance", f"{performance_text(results)}, {'VALID' if performance['valid'] else 'INVALID'}, {performance['duration_s']:.1f} s"))
        latency = performance.get("latency_ms", {})
        if latency:
            rows.append(("latency, ms", ", ".join(f"{key} {value:.3f}" for key, value in latency.items())))
        rows += [("", reason) for reason in performance.get("reasons", [])]
    rows += [
        ("machine", f"{platform.get('cpu')}, {platform.get('cores_usable')} cores, {platform.get('memory', 0) / 2**30:.0f} GiB, {platform.get('os')}"),
        ("governor", f"{platform.get('governor')}, load {platform.get('load')}"),
        ("venv", f"{venv.get('name')} ({venv.get('template')}), Python {venv.get('python')}, {len(venv.get('packages') or {})} packages"),
    ]
    for alias, row in (meta.get("repositories") or {}).items():
        state = f"{str(row.get('commit', ''))[:12]}{' with changes' if row.get('changed') else ''}" if row.get("git") else "not under git"
        rows.append(("repository", f"{alias} {state}"))
    width = max(len(key) for key, _ in rows)
    return [f"{key.ljust(width)}  {value}" for key, value in rows]


def _threads(count: Any) -> str:
    return "the framework's own number of threads" if not count else f"{count} thread{'s' if count != 1 else ''}"


def _digest(meta: Mapping[str, Any], part: str) -> str:
    return str((meta.get(part) or {}).get("digest", ""))
