"""LoadGen's logs give the same figures as the published results."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from object_detection.contract.results import Performance
from object_detection.errors import HarnessError
from object_detection.summary import performance
from trees import Submissions

from ck_repo.experiments.meta import RecordedLoadGen
from ck_repo.experiments.reasons import explained
from ck_repo.rounds.round import load_round
from ck_repo.run.options import RunOptions


def figure(found: Performance, scenario: str) -> float | None:
    """The published figure of a scenario in its unit (mlcommons/inference_results_v1.0)."""
    if scenario == "Offline":
        return found.samples_per_second
    if scenario == "Server":
        return found.scheduled_queries_per_second
    return found.samples_per_query if scenario == "MultiStream" else found.latency_ms["p90"] * 1e6


def test_logs_give_table_results(submissions: Submissions) -> None:
    """Every closed result of the generated and the published tree."""
    with open(submissions.table, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["division"] == "closed"]
    compared = 0
    for row in rows:
        place = f"{row['organisation']}/results/{row['system']}/{row['model']}/{row['scenario']}/performance/run_1"
        folder = submissions.root / "closed" / place
        if folder.is_dir():
            found = performance(folder, row["scenario"].lower())
            assert figure(found, row["scenario"]) == pytest.approx(float(row["result_raw"]), rel=1e-5), place
            assert found.latency_ms["p99"] * 1e6 == pytest.approx(float(row["p99_latency_ns"])), place
            assert found.valid
            assert found.errors == 0
            compared += 1
    assert compared == len(list((submissions.root / "closed").glob("*/results/*/*/*"))) >= 13


def test_too_short_run_gives_reason(loadgen_run: Callable[..., Any]) -> None:
    row = loadgen_run(RunOptions(scenario="offline", seconds=0.5), rate=10.0)  # a few samples, answered at once
    found = performance(row.folder, "offline")
    assert found.valid is False
    assert "Min duration satisfied : NO" in found.reasons
    assert any("larger (coalesced) query" in reason for reason in found.reasons)
    assert found.queries == 1


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(scenario="server", seconds=0.2, target_qps=500.0, target_latency=1e-6),
        RunOptions(scenario="offline", seconds=0.5),
    ],
)
def test_loadgen_reasons_are_explained(loadgen_run: Callable[..., Any], options: RunOptions) -> None:
    """LoadGen's own lines for a Server run that misses its bound, and for an Offline run that is too short."""
    reasons = performance(loadgen_run(options, rate=10.0).folder, options.scenario).reasons
    scenario = load_round().find_scenario(options.scenario)
    assert reasons
    assert not set(explained(reasons, {}, RecordedLoadGen(), scenario)) & set(reasons)


def test_every_latency_figure_is_present(loadgen_run: Callable[..., Any]) -> None:
    found = performance(loadgen_run(RunOptions(scenario="server", seconds=0.2, target_qps=500.0)).folder, "server")
    latency = found.latency_ms
    assert set(latency) == {"mean", "p50", "p90", "p95", "p97", "p99", "p99_9"}
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99_9"]
    assert found.target_qps == 500
    assert found.queries is not None
    assert found.queries > 0


@pytest.fixture
def broken(loadgen_run: Callable[..., Any]) -> Path:
    """The logs of a run, for a test to damage."""
    folder: Path = loadgen_run(RunOptions(scenario="singlestream", seconds=0.05), rate=1e7).folder
    return folder


def test_loadgen_errors_are_counted(broken: Path) -> None:
    assert performance(broken, "singlestream").errors == 0
    log = broken / "mlperf_log_detail.txt"
    line = next(line for line in log.read_text().splitlines() if "effective_scenario" in line)
    log.write_text(log.read_text() + line.replace('"is_error": false', '"is_error": true') + "\n")
    assert performance(broken, "singlestream").errors == 1


def test_summary_without_result_is_an_error(broken: Path) -> None:
    """LoadGen was killed, or the disk is full."""
    (broken / "mlperf_log_summary.txt").write_text("MLPerf Results Summary\nSUT name : PySUT\n")
    with pytest.raises(HarnessError, match=r"mlperf_log_summary\.txt has no result"):
        performance(broken, "singlestream")


def test_truncated_detail_log_is_an_error(broken: Path) -> None:
    log = broken / "mlperf_log_detail.txt"
    log.write_text(log.read_text()[:-40])
    with pytest.raises(HarnessError, match=r"mlperf_log_detail\.txt"):
        performance(broken, "singlestream")
