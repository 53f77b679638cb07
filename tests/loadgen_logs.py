"""Logs as LoadGen 1.0 writes them, of fictitious runs: its files, events and order, with our own figures.

The events of a log are those of LoadGen's sources at v1.0 (test_settings_internal.cc, loadgen.cc, logging.cc).
`test_mlperf_made_tree.py` compares them with published logs where those are available.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

IMAGES = 5000
SEEDS = {  # mlperf.conf of mlcommons/inference at v1.0.1
    "qsl_rng_seed": 7322528924094909334,
    "sample_index_rng_seed": 1570999273408051088,
    "schedule_rng_seed": 3507442325620259414,
}
MINIMUM_QUERIES = {"SingleStream": 1024, "MultiStream": 270336, "Server": 270336, "Offline": 24576}
LATENCY_BOUND_MS = {
    ("MultiStream", "ssd-mobilenet"): 50, ("MultiStream", "ssd-resnet34"): 66,
    ("Server", "ssd-mobilenet"): 10, ("Server", "ssd-resnet34"): 100,
}  # fmt: skip
INTERVALS_PER_SECOND = {"ssd-mobilenet": 20, "ssd-resnet34": 15}
PERCENTILES = ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")
DURATION_MS = 600_000


@dataclass(frozen=True)
class Run:
    """The settings and results of a run.

    Attributes
    ----------
    figure
        As in the log: ns (SingleStream), samples a second (Offline), queries a second (Server), samples a query (MultiStream).
    p99_ns
        99th percentile of latency, ns; of MultiStream that of a query.
    target
        The target rate of Offline and Server.
    settings
        Changes to TestSettings, by name: what an audit.config says.
    """

    scenario: str
    benchmark: str
    figure: float
    p99_ns: int
    target: float = 0.0
    mode: str = "PerformanceOnly"
    sample_count: int = 1024
    valid: bool = True
    begin: datetime = datetime(2021, 3, 2, 9, 0, 0)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def end(self) -> datetime:
        """Eleven minutes after the start."""
        return self.begin + timedelta(minutes=11)

    @property
    def latencies(self) -> dict[str, int]:
        """Percentiles of a query's latency, ns; of Offline, which has one query, those of a sample."""
        if self.scenario == "Offline":  # the samples of one query finish one after another
            return {name: int(self.p99_ns * float(name) / 99) for name in PERCENTILES}
        p90 = int(self.figure) if self.scenario == "SingleStream" else int(self.p99_ns * 0.97)
        step = (self.p99_ns - p90) // 9
        return {
            "50.00": p90 - 40 * step, "90.00": p90, "95.00": p90 + 5 * step, "97.00": p90 + 7 * step, "99.00": self.p99_ns,
            "99.90": self.p99_ns + step,
        }  # fmt: skip

    @property
    def sample_latencies(self) -> dict[str, int]:
        """Percentiles of a sample's latency, ns: in MultiStream the samples of a query finish before the query does."""
        share = 0.98 if self.scenario == "MultiStream" else 1
        return {name: int(share * value) for name, value in self.latencies.items()}

    @property
    def bound_ns(self) -> int:
        """The bound of a query's latency, ns; 0 where there is none."""
        return 1_000_000 * LATENCY_BOUND_MS.get((self.scenario, self.benchmark), 0)

    @property
    def rate(self) -> float:
        """effective_target_qps."""
        if self.scenario == "SingleStream":
            return round(1e9 / self.figure, 2)
        return INTERVALS_PER_SECOND[self.benchmark] if self.scenario == "MultiStream" else self.target

    @property
    def samples_per_query(self) -> int:
        """Of each query; Offline has one query, 10 % longer than asked for."""
        if self.scenario == "Offline":
            return max(MINIMUM_QUERIES["Offline"], int(1.1 * self.target * DURATION_MS / 1000))
        return int(self.figure) if self.scenario == "MultiStream" else 1

    @property
    def queries(self) -> int:
        """generated_query_count."""
        if self.scenario == "Offline":
            return 1
        if self.scenario == "SingleStream":
            return max(MINIMUM_QUERIES["SingleStream"], int(DURATION_MS * 1e6 / self.latencies["50.00"]))
        return MINIMUM_QUERIES[self.scenario]


def events(run: Run) -> Iterator[tuple[str, Any]]:
    """Keys and values of the detail log, in LoadGen's order."""
    yield "loadgen_version", "1.0 @ 0123456789"
    for zone in ("local", "utc"):
        yield f"loadgen_build_date_{zone}", "2021-03-01T08:00:00.000000"
    yield "loadgen_git_commit_date", "2021-02-25T09:00:00-08:00"
    yield "loadgen_git_log_message", "0123456789 a commit"
    yield "loadgen_git_status_message", ""
    yield "loadgen_file_sha1", {"/loadgen.cc": "0" * 40, "/version.cc": "1" * 40}
    yield "test_datetime", f"{run.begin:%Y-%m-%dT%H:%M:%SZ}"
    yield from {"sut_name": "MadeSUT", "qsl_name": "MadeQSL", "qsl_reported_total_count": IMAGES}.items()
    yield "qsl_reported_performance_count", run.sample_count
    yield from _requested(run)
    yield from _effective(run)
    yield "generic_message", "Starting performance mode" if run.mode == "PerformanceOnly" else "Starting accuracy mode"
    yield "loaded_qsl_set", random.Random(7).sample(range(IMAGES), run.sample_count)
    yield "generated_query_count", run.queries
    yield "generated_samples_per_query", run.samples_per_query
    yield "generated_query_duration", 1_000_000 * DURATION_MS
    if run.mode == "PerformanceOnly" and run.scenario != "Server":
        yield "generic_message", "Ending naturally: Minimum query count and test duration met."
    slots = ("retry", "retry_retry", "retry_reencounter")
    yield from ((f"logger_swap_request_slots_{name}_count", 0) for name in slots)
    yield "logger_start_reading_entries_retry_count", 0
    yield from ((f"logger_tls_total_{name}_count", 0) for name in ("log_cas_fail", "swap_buffers_slot_retry"))
    yield "power_begin", f"{run.begin:%m-%d-%Y %H:%M:%S.000}"
    yield "power_end", f"{run.end:%m-%d-%Y %H:%M:%S.000}"
    if run.mode == "PerformanceOnly":
        yield from _results(run)


def _requested(run: Run) -> Iterator[tuple[str, Any]]:
    asked: dict[str, Any] = {"scenario": run.scenario, "test_mode": run.mode}
    if run.scenario == "SingleStream":
        asked |= {"single_stream_expected_latency_ns": int(run.figure), "single_stream_target_latency_percentile": 0.9}
    elif run.scenario == "MultiStream":
        asked |= {
            "multi_stream_target_qps": run.rate, "multi_stream_target_latency_ns": run.bound_ns,
            "multi_stream_target_latency_percentile": 0.99, "multi_stream_samples_per_query": run.samples_per_query,
            "multi_stream_max_async_queries": 1,
        }  # fmt: skip
    elif run.scenario == "Server":
        asked |= {
            "server_target_qps": run.rate, "server_target_latency_ns": run.bound_ns, "server_target_latency_percentile": 0.99,
            "server_coalesce_queries": False, "server_find_peak_qps_decimals_of_precision": 1,
            "server_find_peak_qps_boundary_step_size": 1, "server_max_async_queries": 0, "server_num_issue_query_threads": 0,
        }  # fmt: skip
    else:
        asked["offline_expected_qps"] = run.rate
    asked |= {"min_duration_ms": DURATION_MS, "max_duration_ms": 0}
    asked |= {"min_query_count": MINIMUM_QUERIES[run.scenario], "max_query_count": 0}
    asked |= _audited(run)
    asked["performance_sample_count_override"] = run.sample_count
    yield from ((f"requested_{key}", value) for key, value in asked.items())


def _effective(run: Run) -> Iterator[tuple[str, Any]]:
    offline = run.scenario == "Offline"
    queries = 1 if offline else MINIMUM_QUERIES[run.scenario]
    values: dict[str, Any] = {
        "scenario": run.scenario, "test_mode": run.mode, "samples_per_query": run.samples_per_query, "target_qps": run.rate,
        "target_latency_ns": run.bound_ns, "target_latency_percentile": 0.9 if run.scenario == "SingleStream" else 0.99,
        "max_async_queries": 0 if run.scenario == "Server" else 1, "target_duration_ms": 0 if offline else DURATION_MS,
        "min_duration_ms": DURATION_MS, "max_duration_ms": 0, "min_query_count": queries, "max_query_count": 0,
        "min_sample_count": queries * run.samples_per_query, **_audited(run), "performance_sample_count": run.sample_count,
    }  # fmt: skip
    yield from ((f"effective_{key}", value) for key, value in values.items())


def _audited(run: Run) -> dict[str, Any]:
    usual = {
        **SEEDS, "accuracy_log_rng_seed": 0, "accuracy_log_probability": 0, "accuracy_log_sampling_target": 0,
        "print_timestamps": False, "performance_issue_unique": False, "performance_issue_same": False,
        "performance_issue_same_index": 0,
    }  # fmt: skip
    return {**usual, **run.settings}


def _results(run: Run) -> Iterator[tuple[str, Any]]:
    yield "result_validity", "VALID" if run.valid else "INVALID"
    if run.scenario in ("MultiStream", "Server"):
        yield "result_perf_constraints_met", True
    yield "result_min_duration_met", run.valid
    yield "result_min_queries_met", run.valid
    if run.scenario == "SingleStream":
        rate = 1e9 / run.latencies["50.00"]
        yield "result_qps_with_loadgen_overhead", round(0.99 * rate, 2)
        yield "result_qps_without_loadgen_overhead", round(rate, 2)
    elif run.scenario == "Offline":
        yield "result_samples_per_second", run.figure
    elif run.scenario == "Server":
        yield "result_scheduled_samples_per_sec", run.figure
        yield "result_completed_samples_per_sec", round(run.figure * 0.9999, 4)
    else:
        for name in PERCENTILES:
            yield f"result_{name}_percentile_num_intervals_between_queries", 2 if name == "99.90" else 1
            yield f"result_{name}_percentile_per_query_latency_ns", run.latencies[name]
    found = run.sample_latencies
    yield from {
        "result_min_latency_ns": found["50.00"] // 2, "result_max_latency_ns": 2 * found["99.90"],
        "result_mean_latency_ns": found["50.00"],
    }.items()  # fmt: skip
    yield from ((f"result_{name}_percentile_latency_ns", value) for name, value in found.items())


def detail(run: Run) -> str:
    """mlperf_log_detail.txt."""
    lines = []
    for number, (key, value) in enumerate(events(run)):
        shown = json.dumps(value, separators=(",", ":")) if isinstance(value, list | dict) else json.dumps(value)
        about = '{"is_error": false, "is_warning": false, "file": "loadgen.cc", "line_no": 1, "pid": 12, "tid": 12}'
        lines.append(
            f':::MLLOG {{"key": "{key}", "value": {shown}, "time_ms": {number / 100:.6f}, "namespace": "mlperf::logging", '
            f'"event_type": "POINT_IN_TIME", "metadata": {about}}}'
        )
    return "\n".join(lines) + "\n"


def summary(run: Run) -> str:
    """mlperf_log_summary.txt; of an accuracy run it has the last two lines alone."""
    ending = "\nNo warnings encountered during test.\n\nNo errors encountered during test.\n"
    if run.mode != "PerformanceOnly":
        return ending
    figures = {
        "SingleStream": f"90th percentile latency (ns) : {run.figure:.0f}",
        "MultiStream": f"Samples per query : {run.samples_per_query}",
        "Server": f"Scheduled samples per second : {run.figure:.2f}",
        "Offline": f"Samples per second: {run.figure:g}",
    }
    met = "Yes" if run.valid else "NO"
    lines = ["=" * 48, "MLPerf Results Summary", "=" * 48, "SUT name : MadeSUT", f"Scenario : {run.scenario}"]
    lines += [f"Mode     : {run.mode}", figures[run.scenario], f"Result is : {'VALID' if run.valid else 'INVALID'}"]
    if run.scenario in ("MultiStream", "Server"):
        lines.append("  Performance constraints satisfied : Yes")
    lines += [f"  Min duration satisfied : {met}", f"  Min queries satisfied : {met}", ""]
    lines += ["=" * 48, "Additional Stats", "=" * 48]
    if run.scenario == "MultiStream":
        milliseconds = 1000 / run.rate
        lines.append(f'Intervals between each IssueQuery:  "qps" : {run.rate:g}, "ms" : {milliseconds:g}')
        lines += [f"{name} percentile : {2 if name == '99.90' else 1}" for name in PERCENTILES]
        lines += ["", f'Per-query latency:  "target_ns" : {run.bound_ns}, "target_ms" : {run.bound_ns // 1_000_000}']
        lines += [f"{name} percentile latency (ns)   : {value}" for name, value in run.latencies.items()]
        lines += ["", "Per-sample latency:"]
    values = dict(events(run))
    if run.scenario == "SingleStream":
        lines.append(f"QPS w/ loadgen overhead         : {values['result_qps_with_loadgen_overhead']}")
        lines += [f"QPS w/o loadgen overhead        : {values['result_qps_without_loadgen_overhead']}", ""]
    elif run.scenario == "Server":
        lines += [f"Completed samples per second    : {values['result_completed_samples_per_sec']:.2f}", ""]
    found = run.sample_latencies
    lines.append(f"Min latency (ns)                : {found['50.00'] // 2}")
    lines.append(f"Max latency (ns)                : {2 * found['99.90']}")
    lines.append(f"Mean latency (ns)               : {found['50.00']}")
    lines += [f"{name} percentile latency (ns)   : {value}" for name, value in found.items()]
    lines += ["", "=" * 48, "Test Parameters Used", "=" * 48]
    names = {
        "target_latency_ns": "target_latency (ns):", "min_duration_ms": "min_duration (ms):",
        "max_duration_ms": "max_duration (ms):",
    }  # fmt: skip
    effective = {key.removeprefix("effective_"): value for key, value in values.items() if key.startswith("effective_")}
    left_out = ("scenario", "test_mode", "target_latency_percentile", "target_duration_ms", "min_sample_count")
    lines += [
        f"{names.get(key, f'{key} :')} {int(value) if isinstance(value, bool) else value}"
        for key, value in effective.items()
        if key not in left_out
    ]
    return "\n".join(lines) + "\n" + ending


@cache
def accuracy_log(samples: int, seed: int = 1) -> bytes:
    """mlperf_log_accuracy.json with two detections for each sample: 7 little-endian float32 each."""
    chance = random.Random(seed)
    rows = []
    for sequence in range(samples):
        data = b"".join(
            struct.pack("<7f", sequence, 0.1, 0.2, 0.6, 0.7, chance.random(), chance.randint(1, 90)) for _ in range(2)
        )
        rows.append(f'{{ "seq_id" : {sequence}, "qsl_idx" : {sequence}, "data" : "{data.hex().upper()}" }}')
    return ("[\n" + ",\n".join(rows) + "\n]\n").encode()


def truncated(log: bytes) -> tuple[bytes, str]:
    """The log as submitted, and the digest of the full one: the rules keep 4096 bytes at either end."""
    return log[:4096] + b"\n\n...\n\n" + log[-4096:], sha256(log).hexdigest()


def write_run(run: Run, folder: Path) -> None:
    """Write the detail and the summary log."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mlperf_log_detail.txt").write_text(detail(run))
    (folder / "mlperf_log_summary.txt").write_text(summary(run))
