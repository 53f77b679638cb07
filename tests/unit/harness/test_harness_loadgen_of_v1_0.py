"""The harness with a LoadGen that has the interface of round v1.0, like one built from that round's source."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import until_valid
from trees import Submissions

for name in ("numpy", "cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)

from object_detection import summary  # noqa: E402
from object_detection.contract.record import write  # noqa: E402

from ck_repo.rounds.logs import read_detail  # noqa: E402
from ck_repo.rounds.submission import find_results  # noqa: E402
from ck_repo.run.options import RunOptions  # noqa: E402

STAND_IN = Path(__file__).with_name("loadgen_of_v1_0")
Run = Callable[..., Any]
# 3 ms an image and a simple answer
_QUICK = """
import time
time.sleep(0.003 * n)
return np.full((n, 1, 4), 0.5), np.full((n, 1), 0.9), np.ones((n, 1)), None
"""
# intervals so long that only a deliberately slow system misses them
_INTERVALS = {"target_qps": 2.0, "target_latency_ms": 500.0, "min_duration_ms": 1, "min_query_count": 3}
_SLOW = _QUICK.replace("0.003", "0.8")


@pytest.fixture(scope="module")
def with_stand_in(harness: Run, spec_for: Run, plugin: Callable[[str], Path]) -> Run:
    """Run the harness with the stand-in and a backend."""

    def run(
        scenario: str,
        *modes: str,
        body: str = _QUICK,
        loadgen_changes: dict[str, Any] | None = None,
        version: str = "1.0",
        elsewhere: bool = False,
        official: bool = False,
        **options: Any,
    ) -> Any:
        folder = plugin(body)
        for path in STAND_IN.iterdir():
            (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)
        built = {"folder": str(STAND_IN if elsewhere else folder), "version": version}
        spec = spec_for(
            scenario,
            *modes,
            options=RunOptions(scenario=scenario, seconds=0.3, **options),
            loadgen_changes=loadgen_changes,
            model_changes={"backend": "toy"},
            loadgen_built=built if version else None,
            official=official,
        )
        return harness(spec, path=folder)

    return run


def test_multistream_issues_one_query_per_interval(with_stand_in: Run) -> None:
    outcome = until_valid(
        lambda: with_stand_in("multistream", "accuracy", "performance", loadgen_changes=_INTERVALS, samples_per_query=2),
        lambda made: made.results["performance"]["valid"],
    )
    results = outcome.results
    assert results["loadgen_version"] == "1.0 (from source)"
    assert "remark" not in results
    found = results["performance"]
    assert (found["valid"], found["within_target_latency"]) == (True, True)
    assert found["issuing"] == "one query in each interval of 500 ms"
    assert (found["queries"], found["samples_per_query"]) == (3, 2)
    detail = outcome.detail("performance")
    assert detail["effective_target_qps"] == 2
    assert detail["effective_max_async_queries"] == 1
    assert detail["effective_target_latency_ns"] == 500_000_000
    assert results["accuracy"]["images"] == 16
    assert outcome.detail("accuracy")["effective_target_qps"] >= 1e4  # at full speed: latency is not measured


def test_intervals_match_mlperf_conf(spec_for: Run) -> None:
    assert spec_for("multistream")["loadgen"]["target_qps"] == 20
    assert spec_for("multistream", options=RunOptions(scenario="multistream", target_qps=5.0))["loadgen"]["target_qps"] == 5


def test_late_system_is_invalid(with_stand_in: Run) -> None:
    changes = {**_INTERVALS, "min_query_count": 1}
    outcome = with_stand_in("multistream", "performance", body=_SLOW, loadgen_changes=changes, samples_per_query=1)
    found = outcome.results["performance"]
    assert (found["valid"], found["within_target_latency"]) == (False, False)


def test_loadgen_enforces_minimum_query_count(with_stand_in: Run) -> None:
    changes = {"min_query_count": 150, "required_query_count": 150}
    outcome = with_stand_in("singlestream", "performance", loadgen_changes=changes)
    assert outcome.detail("performance")["effective_min_query_count"] == 150
    assert outcome.results["performance"]["queries"] >= 150
    assert outcome.results["performance"]["valid"]


def test_test01_audit_config_and_sampling_target_are_logged(with_stand_in: Run) -> None:
    changes = {"target_qps": 100.0, "min_query_count": 50}
    outcome = with_stand_in("multistream", "performance", loadgen_changes=changes, compliance="TEST01", samples_per_query=2)
    detail = outcome.detail("performance")
    assert detail["effective_accuracy_log_sampling_target"] == 1024
    assert detail["effective_accuracy_log_rng_seed"] == 720381539243781796
    assert detail["effective_accuracy_log_probability"] == 0  # LoadGen of v1.0 derives it from the target
    changes["min_query_count"] = 300_000
    outcome = with_stand_in(
        "multistream", "accuracy", loadgen_changes=changes, compliance="TEST01", samples_per_query=2
    )  # an accuracy run has no sampling
    assert outcome.results["accuracy"]["images"] == 16


def test_unexpected_loadgen_module_is_reported(with_stand_in: Run) -> None:
    assert "LoadGen 1.0 should be imported from" in with_stand_in("offline", "accuracy", elsewhere=True).error


@pytest.mark.parametrize("version", ["", "0.7"])
def test_another_old_loadgen_is_rejected_for_official_runs(with_stand_in: Run, version: str) -> None:
    assert "remark" in with_stand_in("singlestream", "accuracy", version=version).results
    outcome = with_stand_in("singlestream", "accuracy", version=version, official=True)
    assert f"LoadGen {version or '0.5a0'}" in outcome.error


# published figures by scenario: their names in our results and in the detail log
FIGURES = {
    "MultiStream": (
        ("samples_per_query", "effective_samples_per_query", 1),
        ("p99", "result_99.00_percentile_per_query_latency_ns", 1e-6),
    ),
    "Offline": (("samples_per_second", "result_samples_per_second", 1),),
    "SingleStream": (("p90", "result_90.00_percentile_latency_ns", 1e-6),),
}


@pytest.mark.parametrize("scenario", FIGURES)
def test_v1_0_logs_are_read(submissions: Submissions, scenario: str) -> None:
    """Of every closed result of the scenario."""
    places = [row for row in find_results(submissions.root / "closed") if row.scenario == scenario]
    assert len(places) >= 3
    for place in places:
        found = summary.performance(place.performance, scenario.lower())
        assert found.valid
        log = read_detail(place.performance / "mlperf_log_detail.txt")
        for ours, theirs, factor in FIGURES[scenario]:
            logged = log.number(theirs)
            assert logged
            assert {**write(found), **found.latency_ms}[ours] == pytest.approx(logged * factor, rel=1e-5)
