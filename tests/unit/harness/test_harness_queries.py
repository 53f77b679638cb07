"""LoadGen's trace is converted to columns with LoadGen's own percentiles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from object_detection import loadgen, pipeline, queries
from object_detection.contract.logs import TRACE
from object_detection.logs import read_summary
from object_detection.spec import LoadGenSettings
from object_detection.sut.team import OwnTeam

SETTINGS = LoadGenSettings(
    qsl_rng_seed=1, sample_index_rng_seed=2, schedule_rng_seed=3, performance_sample_count=16, percentile=0.9,
    min_duration_ms=300, min_query_count=0, required_query_count=0, target_qps=200.0, target_latency_ms=50.0,
    samples_per_query=4, version="4.1.30",
)  # fmt: skip


class Answering:
    """A system that answers immediately, and its library."""

    done = 0

    loaded: Sequence[int] = ()

    def issue(self, samples: list[object]) -> None:
        import mlperf_loadgen as lg

        for sample in samples:
            self.done += 1
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0)])  # type: ignore[attr-defined]

    answer = issue

    def flush(self) -> None: ...

    def finish(self) -> None: ...

    def load(self, indices: list[int]) -> None: ...

    def unload(self, indices: list[int]) -> None: ...


@pytest.mark.parametrize("scenario", ["singlestream", "multistream", "server", "offline"])
def test_columns_have_loadgen_percentiles(scenario: str, tmp_path: Path) -> None:
    system = Answering()
    settings = loadgen.settings_for(scenario, "performance", SETTINGS, 500.0)
    loadgen.run(scenario, "performance", settings, SETTINGS, system, system, 16, tmp_path, trace=True)  # type: ignore[arg-type]
    queries.write_queries(tmp_path, keep=False)
    columns = json.loads((tmp_path / queries.QUERIES).read_text())
    latency: dict[int, int] = {}
    for number, query, value in zip(range(10**9), columns["query"], columns["latency_ns"], strict=False):
        key = query if scenario == "multistream" else number
        latency[key] = max(latency.get(key, 0), value)
    ordered = sorted(latency.values())
    logged = read_summary(tmp_path).values
    for share in (0.5, 0.9, 0.99, 0.999):
        assert ordered[int(len(ordered) * share)] == int(logged[f"{100 * share:.2f} percentile latency (ns)"])
    assert ordered[-1] == int(logged["Max latency (ns)"])
    assert columns["began"] > 1.6e9
    assert (tmp_path / TRACE).read_bytes() == b""


@pytest.mark.parametrize(
    ("choice", "official", "samples", "rate", "traced"),
    [
        ("auto", False, 1000.0, 100.0, True),
        ("auto", True, 1000.0, 100.0, False),
        ("auto", False, 1e6, 100.0, False),
        ("auto", False, 1000.0, 1e4, False),
        ("yes", True, 1e6, 1e4, True),
        ("no", False, 1000.0, 100.0, False),
    ],
)
def test_run_disturbed_by_trace_has_no_columns(choice: str, official: bool, samples: float, rate: float, traced: bool) -> None:
    assert queries.is_traced(choice, official, samples, rate) is traced


def test_columns_of_earlier_run_are_removed(tmp_path: Path) -> None:
    spec: Any = SimpleNamespace(scenario="singlestream", folder=tmp_path, loadgen=SETTINGS, trace="yes", official=False)
    system: Any = Answering()
    for trace, written in (("yes", True), ("no", False)):
        spec.trace = trace
        pipeline._run_test(spec, "performance", OwnTeam(spec, [system], 1), system, 16, 500.0)
        assert (tmp_path / "performance" / queries.QUERIES).exists() == written
