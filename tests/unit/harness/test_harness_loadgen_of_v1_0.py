"""The harness with a LoadGen that has the interface of round v1.0, as one that is built from that round's source has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

for name in ("numpy", "cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)

from object_detection import summary  # noqa: E402

from ck_repo.run.options import RunOptions  # noqa: E402

STAND_IN = Path(__file__).with_name("loadgen_of_v1_0")
Run = Callable[..., Any]
# 3 ms an image and a plain answer
_QUICK = """
import time
time.sleep(0.003 * n)
return np.full((n, 1, 4), 0.5), np.full((n, 1), 0.9), np.ones((n, 1)), None
"""
# longer than an interval of 50 ms
_SLOW = _QUICK.replace("0.003", "0.08")


@pytest.fixture(scope="module")
def with_stand_in(harness: Run, spec_for: Run, plugin: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the harness with the stand-in and a backend."""

    def run(
        scenario: str, *modes: str, body: str = _QUICK, loadgen_changes: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        folder = plugin(body)
        for path in (STAND_IN / "mlperf_loadgen.py", STAND_IN / "mlperf_loadgen-0.5a0.dist-info"):
            (folder / path.name).symlink_to(path)
        spec = spec_for(
            scenario,
            *modes,
            options=RunOptions(scenario=scenario, seconds=0.3, **options),
            loadgen_changes=loadgen_changes,
            model_changes={"backend": "toy"},
        )
        return harness(spec, path=folder)

    return run


def test_multistream_issues_a_query_each_interval(with_stand_in: Run) -> None:
    outcome = with_stand_in("multistream", "accuracy", "performance", samples_per_query=2)
    results = outcome.results
    assert results["loadgen_version"] == "r1.0 (0.5a0, from source)"
    assert "remark" not in results
    found = results["performance"]
    assert (found["valid"], found["within_target_latency"]) == (True, True)
    assert found["issuing"] == "one query in each interval of 50 ms"
    assert 6 <= found["queries"] <= 7  # 0.3 s in intervals of 50 ms
    assert found["samples_per_query"] == 2
    detail = outcome.detail("performance")
    assert detail["effective_target_qps"] == 20  # of mlperf.conf
    assert detail["effective_max_async_queries"] == 1
    assert detail["effective_target_latency_ns"] == 50_000_000
    assert results["accuracy"]["images"] == 16


def test_a_system_that_is_late_for_its_intervals_is_not_valid(with_stand_in: Run) -> None:
    found = with_stand_in("multistream", "performance", body=_SLOW, samples_per_query=1).results["performance"]
    assert (found["valid"], found["within_target_latency"]) == (False, False)


def test_the_least_count_is_held_by_loadgen_as_its_order_of_samples_is_the_rounds(with_stand_in: Run) -> None:
    outcome = with_stand_in("singlestream", "performance", loadgen_changes={"required_query_count": 150})
    assert outcome.detail("performance")["effective_min_query_count"] == 150
    assert outcome.results["performance"]["queries"] >= 150
    assert outcome.results["performance"]["valid"]


def test_test01_logs_as_many_answers_as_it_asks_for(with_stand_in: Run) -> None:
    outcome = with_stand_in("singlestream", "performance", compliance="TEST01")
    assert outcome.detail("performance")["effective_accuracy_log_sampling_target"] == 1024


# figures of mlperf_log_summary.txt in the published trees
@pytest.mark.parametrize(
    ("place", "scenario", "expected"),
    [
        ("Lenovo/results/T4x1_TRT/ssd-resnet34/MultiStream", "multistream", ("samples_per_query", None)),
        ("NVIDIA/results/Xavier_NX_TRT/ssd-mobilenet/MultiStream", "multistream", ("samples_per_query", 60)),
        ("NVIDIA/results/Xavier_NX_TRT/ssd-mobilenet/Offline", "offline", ("samples_per_second", None)),
        ("NVIDIA/results/Xavier_NX_TRT/ssd-mobilenet/SingleStream", "singlestream", ("latency_ms", None)),
    ],
)
def test_the_logs_of_v1_0_are_read(data: Path, place: str, scenario: str, expected: tuple[str, float | None]) -> None:
    folder = data / "results_v1.0/closed" / place / "performance/run_1"
    found = summary.performance(folder, scenario)
    assert found["valid"]
    name, value = expected
    assert found[name] == value if value else found[name]
    if scenario == "multistream":  # of a query, not of a sample
        text = (folder / "mlperf_log_summary.txt").read_text().split("Per-query latency:")[1]
        first = next(line for line in text.splitlines() if line.startswith("99.00"))
        assert found["latency_ms"]["p99"] == pytest.approx(int(first.split(":")[1]) / 1e6)
