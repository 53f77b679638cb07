"""A Python stand-in for LoadGen of round v1.0, whose source is only available on the network.

It has the interface of that time (names of settings as the published logs have them behind ``requested_``; three callbacks for
a system under test), and no other: an unknown setting is an error, as it is in the compiled module. MultiStream issues a query
each interval, skips the intervals that the system is late for, and writes what the published logs of MultiStream have. The
other scenarios issue one query after another.
"""

from __future__ import annotations

import ctypes
import json
import threading
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

TestScenario = Enum("TestScenario", "SingleStream MultiStream MultiStreamFree Server Offline")
TestMode = Enum("TestMode", "SubmissionRun AccuracyOnly PerformanceOnly FindPeakPerformance")


class TestSettings:
    """Settings by field."""

    __test__ = False
    __slots__ = (  # noqa: RUF023 - by scenario
        "scenario", "mode",
        "single_stream_expected_latency_ns", "single_stream_target_latency_percentile",
        "multi_stream_target_qps", "multi_stream_target_latency_ns", "multi_stream_target_latency_percentile",
        "multi_stream_samples_per_query", "multi_stream_max_async_queries",
        "server_target_qps", "server_target_latency_ns", "server_target_latency_percentile", "server_coalesce_queries",
        "offline_expected_qps", "min_duration_ms", "max_duration_ms", "min_query_count", "max_query_count",
        "qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed", "accuracy_log_rng_seed", "accuracy_log_probability",
        "print_timestamps", "performance_issue_unique", "performance_issue_same",
        "performance_issue_same_index", "performance_sample_count_override",
    )  # fmt: skip

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class LogOutputSettings:
    """Where the logs go."""

    def __init__(self) -> None:
        self.outdir, self.copy_summary_to_stdout = ".", True


class LogSettings:
    """How it logs."""

    def __init__(self) -> None:
        self.log_output, self.enable_trace = LogOutputSettings(), True


class QuerySample:
    """A sample of a query."""

    def __init__(self, id: int, index: int) -> None:
        self.id, self.index = id, index


class QuerySampleResponse:
    """An answer: address and size, in bytes."""

    def __init__(self, id: int, data: int, size: int) -> None:
        self.id, self.data, self.size = id, data, size


class _Test:
    """A run."""

    def __init__(self, sut: Any, qsl: Any, settings: TestSettings, folder: Path) -> None:
        (self.issue, self.flush, self.report), self.settings, self.folder = sut, settings, folder
        self.count, self.kept, self.load, self.unload = qsl
        self.waiting: set[int] = set()
        self.answers: dict[int, bytes] = {}
        self.free = threading.Condition()
        self.last = 0

    def complete(self, responses: list[QuerySampleResponse]) -> None:
        with self.free:
            for row in responses:
                self.answers[row.id] = ctypes.string_at(row.data, row.size) if row.size else b""
                self.waiting.discard(row.id)
            self.free.notify_all()

    def query(self, indices: list[int]) -> dict[int, int]:
        """Issue a query; the index of each sample by its id."""
        ids = {self.last + number: index for number, index in enumerate(indices, 1)}
        self.last += len(indices)
        with self.free:
            self.waiting |= set(ids)
        self.issue([QuerySample(*row) for row in ids.items()])
        return ids

    def wait(self) -> None:
        with self.free:
            assert self.free.wait_for(lambda: not self.waiting, timeout=300)

    def run(self) -> None:
        if self.settings.mode is TestMode.AccuracyOnly:
            self.accuracy()
        else:
            self.performance()

    def accuracy(self) -> None:
        indices = list(range(self.count))
        self.load(indices)
        ids: dict[int, int] = {}
        for index in indices:
            ids |= self.query([index])
            self.wait()
        self.flush()
        self.unload(indices)
        rows = [{"seq_id": id - 1, "qsl_idx": index, "data": self.answers[id].hex().upper()} for id, index in ids.items()]
        detail = {"effective_target_qps": self.settings.multi_stream_target_qps, "result_validity": "VALID"}
        self.write(rows, detail, ["Result is : VALID"])

    def performance(self) -> None:
        settings, multi = self.settings, self.settings.scenario is TestScenario.MultiStream
        indices = list(range(min(self.count, self.kept)))
        self.load(indices)
        per_query = settings.multi_stream_samples_per_query if multi else 1
        interval = 1 / settings.multi_stream_target_qps if multi else 0.0
        latencies: list[float] = []
        intervals: list[int] = []
        begin = due = time.monotonic()
        while len(latencies) < settings.min_query_count or time.monotonic() - begin < settings.min_duration_ms / 1e3:
            time.sleep(max(0.0, due - time.monotonic()))
            started = time.monotonic()
            self.query([indices[(len(latencies) + at) % len(indices)] for at in range(per_query)])
            self.wait()
            latencies.append(time.monotonic() - started)
            needed = max(1, -(-latencies[-1] // interval)) if multi else 1  # intervals until it may be asked again
            due, intervals = due + needed * interval, [*intervals, int(needed)]
        self.flush()
        self.unload(indices)
        self.report([int(row * 1e9) for row in latencies])
        p99 = int(sorted(latencies)[int(0.99 * (len(latencies) - 1))] * 1e9)
        valid = not multi or max(intervals) == 1
        detail = {
            "generated_query_count": max(len(latencies), settings.min_query_count),
            "effective_samples_per_query": per_query,
            "effective_min_query_count": settings.min_query_count,
            "effective_accuracy_log_probability": settings.accuracy_log_probability,
            **{f"effective_{name}": value for name, value in _audit_config().items()},
            "effective_target_qps": settings.multi_stream_target_qps,
            "effective_max_async_queries": settings.multi_stream_max_async_queries,
            "effective_target_latency_ns": settings.multi_stream_target_latency_ns,
            "result_validity": "VALID" if valid else "INVALID",
        }
        lines = [
            f"Result is : {detail['result_validity']}",
            "Per-query latency:",
            f"99.00 percentile latency (ns)   : {p99}",
            f"samples_per_query : {per_query}",
        ]
        self.write([], detail, lines)

    def write(self, rows: list[Any], detail: dict[str, Any], summary: list[str]) -> None:
        (self.folder / "mlperf_log_accuracy.json").write_text(json.dumps(rows))
        lines = [":::MLLOG " + json.dumps({"key": key, "value": value}) for key, value in detail.items()]
        (self.folder / "mlperf_log_detail.txt").write_text("\n".join(lines) + "\n")
        (self.folder / "mlperf_log_summary.txt").write_text("\n".join(summary) + "\n")


_running: list[_Test] = []


def ConstructSUT(issue: Any, flush: Any, report_latencies: Any) -> Any:
    return issue, flush, report_latencies


def ConstructQSL(count: int, kept: int, load: Any, unload: Any) -> Any:
    return count, kept, load, unload


def DestroySUT(sut: Any) -> None:
    pass


def DestroyQSL(qsl: Any) -> None:
    pass


def _audit_config() -> dict[str, int]:
    """The settings of audit.config in the working directory, which LoadGen of v1.0 reads."""
    path = Path("audit.config")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = [line.removeprefix("*.*.").partition(" = ") for line in lines]
    return {name: int(value) for name, _, value in pairs}


def StartTestWithLogSettings(sut: Any, qsl: Any, settings: TestSettings, logs: LogSettings) -> None:
    _running[:] = [_Test(sut, qsl, settings, Path(logs.log_output.outdir))]
    _running[0].run()


def QuerySamplesComplete(responses: list[QuerySampleResponse]) -> None:
    _running[0].complete(responses)
