"""Query times: from columns, from LoadGen's trace, and the intervals of figures."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from ck_repo.errors import ConfigError
from ck_repo.experiments.change_points import change_points
from ck_repo.experiments.glance import glance
from ck_repo.experiments.plots import histogram, scatter, sparkline
from ck_repo.experiments.queries import percentile, read_queries
from ck_repo.experiments.spread import percentile_interval, rate_interval

TRACE = """{"traceEvents":[
{"name":"Latency","ph": "C","pid":7,"ts":1.5,"args":{ "issue_delay":188,"issue_to_done":67}},
{"name":"Sample","cat":"default","ph":"b","pid":7,"id":1,"ts":20.250,"args":{"sample_seq":1,"query_seq":0,"sample_idx":5,"issue_start_ns":10,"complete_ns":900}},
{"name":"Sample","cat":"default","ph":"b","pid":7,"id":0,"ts":10.000,"args":{"sample_seq":0,"query_seq":0,"sample_idx":3,"issue_start_ns":20,"complete_ns":700}},
{"name":"LogDetail","ph":"X","args":{"key":""loadgen_version""}},
"""


def write(folder: Path, name: str, text: str) -> Path:
    (folder / "performance").mkdir(exist_ok=True)
    (folder / "performance" / name).write_text(text)
    return folder


def test_truncated_loadgen_trace_is_read(tmp_path: Path) -> None:
    found = read_queries(write(tmp_path, "mlperf_log_trace.json", TRACE))
    assert found is not None
    assert (found.sample, found.start_ns, found.issue_ns, found.latency_ns) == ([3, 5], [10000, 20250], [20, 10], [700, 900])


def test_query_latency_is_that_of_its_last_sample(tmp_path: Path) -> None:
    found = read_queries(write(tmp_path, "mlperf_log_trace.json", TRACE))
    assert found is not None
    assert list(found.per_query().latency_ns) == [900]


def test_empty_trace(tmp_path: Path) -> None:
    assert read_queries(tmp_path) is None
    assert read_queries(write(tmp_path, "mlperf_log_trace.json", "")) is None


@pytest.mark.parametrize(
    "text", ["[]", "{}", "{", '{"start_us": [1], "query": [], "sample": [1], "issue_ns": [1], "latency_ns": [1]}']
)
def test_corrupt_table_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"queries\.json is not a table"):
        read_queries(write(tmp_path, "queries.json", text))


@pytest.mark.parametrize("change", [{"latency_ns": [10**400]}, {"start_us": [1e300]}, {"began": float("nan")}])
def test_impossible_time_is_rejected(tmp_path: Path, change: dict[str, object]) -> None:
    row = {"start_us": [1], "query": [0], "sample": [1], "issue_ns": [1], "latency_ns": [1], "began": 1.0, **change}
    with pytest.raises(ConfigError, match="a time out of bounds"):
        read_queries(write(tmp_path, "queries.json", json.dumps(row)))


@pytest.mark.parametrize("number", ["9" * 5000, "1.2.3", ""])
def test_trace_lines_with_bad_numbers_are_skipped(tmp_path: Path, number: str) -> None:
    for good in ("20.250", '"complete_ns":900'):
        bad = good.replace(good[-3:], number)
        found = read_queries(write(tmp_path, "mlperf_log_trace.json", TRACE.replace(good, bad)))
        assert found is not None
        assert found.sample == [3]


def test_out_of_range_numbers_are_left_out_of_summary(tmp_path: Path) -> None:
    columns = {name: [1] for name in ("start_us", "query", "sample", "issue_ns")} | {"latency_ns": [10**400]}
    write(tmp_path, "queries.json", json.dumps(columns))
    (tmp_path / "accuracy").mkdir()
    (tmp_path / "accuracy/classes.json").write_text(json.dumps([{"name": "cat", "AP": 10**400}]))
    assert glance(tmp_path) == []


def test_link_out_of_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text(json.dumps({"query": []}))
    (tmp_path / "run/performance").mkdir(parents=True)
    (tmp_path / "run/performance/queries.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(Exception, match="link"):
        read_queries(tmp_path / "run")


def test_percentiles_match_loadgen() -> None:
    assert percentile(list(range(93)), 0.99) == 92
    assert percentile(list(range(100)), 0.9) == 90
    assert percentile([5], 0.999) == 5


def test_percentile_interval_covers_19_of_20_samples() -> None:
    chance, held = random.Random(4), 0
    for _ in range(400):
        between = percentile_interval(sorted(chance.expovariate(1.0) for _ in range(300)), 0.9)
        assert between is not None
        held += between[0] <= 2.302585 <= between[1]
    assert 0.92 <= held / 400 <= 0.98
    assert percentile_interval([1.0, 2.0, 3.0], 0.99) is None


def test_rate_interval_contains_the_rate() -> None:
    chance = random.Random(5)
    ends = sorted(chance.uniform(0, 20) for _ in range(2000))
    between = rate_interval(ends, 0.0)
    assert between is not None
    assert between[0] < 100 < between[1]
    assert between[1] - between[0] < 20
    assert rate_interval([1.0, 2.0], 0.0) is None


def test_steps_are_detected_and_noise_is_not() -> None:
    chance = random.Random(6)
    level = [100.0 * chance.gauss(1, 0.01) for _ in range(20)]
    assert change_points(level) == []
    assert change_points([*level, *(1.2 * value for value in level[:10]), *level[10:]]) == [20, 30]
    assert change_points([1.0] * 10) == []
    assert change_points([1.0, 0.0, 1.0, 1.0, 1.0, 1.0]) == []


def test_text_plots() -> None:
    assert sparkline([]) == sparkline([0, 0]) == ""
    assert sparkline([1, 100]) == "▁█"
    assert histogram([1.0, 1.0, 2.0], 2) == [2, 1]
    lines = scatter([(1.0, 0.1, "slow"), (2.0, 0.3, "fast")], "samples/s", "mAP", width=10, height=4)
    assert lines[1].endswith("│         b")
    assert lines[4].endswith("│a         ")
    assert scatter([(1.0, 0.1, "one"), (1.0, 0.1, "two")], "ms", "mAP")[8].count("*") == 1
