"""The harness as the engine starts it, with the demo model on demo images, in every scenario."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import until_valid

np = pytest.importorskip("numpy")
for name in ("cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)

from ck_repo.experiments.experiment_table import performance_text  # noqa: E402
from ck_repo.experiments.meta import read_meta  # noqa: E402
from ck_repo.run.options import SCENARIOS, RunOptions  # noqa: E402

# an easy rate and bound for Server, so that even a slow machine meets them
OPTIONS = {
    "singlestream": RunOptions(scenario="singlestream", seconds=0.3),
    "multistream": RunOptions(scenario="multistream", seconds=0.3, target_latency=60_000.0),
    "server": RunOptions(scenario="server", seconds=0.3, target_qps=20.0, target_latency=60_000.0),
    "offline": RunOptions(scenario="offline", seconds=0.3),
}


@pytest.fixture(scope="module")
def runs(harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Both modes of each scenario; 8 of the 16 images are loaded in performance mode."""
    fewer = {"performance_sample_count": 8}
    return {
        name: harness(spec_for(name, "accuracy", "performance", options=options, loadgen_changes=fewer))
        for name, options in OPTIONS.items()
    }


@pytest.fixture(params=SCENARIOS)
def run(request: pytest.FixtureRequest, runs: dict[str, Any]) -> Any:
    return runs[request.param]


def answers(outcome: Any) -> dict[int, Any]:
    """Detections of the accuracy log by sample, (rows, 7)."""
    log = json.loads((outcome.folder / "accuracy" / "mlperf_log_accuracy.json").read_text())
    return {row["qsl_idx"]: np.frombuffer(bytes.fromhex(row["data"]), "<f4").reshape(-1, 7) for row in log}


def clear(rows: Any) -> Any:
    """Detections that rounding cannot move across a threshold, in an order that rounding cannot change."""
    found = rows[rows[:, 5] > 0.6]
    return found[np.lexsort((np.rint(found[:, 2] * 50), np.rint(found[:, 1] * 50), found[:, 6]))]


def assert_same_detections(one: dict[int, Any], other: dict[int, Any]) -> None:
    assert set(one) == set(other)
    assert sum(len(clear(rows)) for rows in one.values()) > 30
    for index in one:
        np.testing.assert_allclose(clear(one[index]), clear(other[index]), atol=2e-3)


def test_results_follow_the_contract(run: Any) -> None:
    """The contract of results.json."""
    results = run.results
    assert results["model"] == "demo_ssd"
    assert results["images"] == 16
    assert (results["backend"], results["device"]) == ("onnxruntime", "cpu")
    assert results["threads"] == 1
    assert results["loadgen_version"] == "4.1.30"
    assert results["official"] is False
    assert {"dataset", "backend_version", "batch_size", "scenario"} <= set(results)


def test_accuracy_results(run: Any) -> None:
    accuracy = run.results["accuracy"]
    assert 0.5 < accuracy["mAP"] <= 1
    assert accuracy["mAP"] < accuracy["AP50"] <= 1
    assert 0 < accuracy["AP75"] <= 1
    assert accuracy["images"] == 16
    assert accuracy["detections"] == sum(len(rows) for rows in answers(run).values())


def test_performance_results(run: Any) -> None:
    performance = run.results["performance"]
    assert isinstance(performance["valid"], bool)
    assert bool(performance.get("reasons")) is not performance["valid"]
    assert performance["queries"] > 0
    assert performance["duration_s"] > 0
    assert performance["errors"] == 0
    assert {"mean", "p50", "p90", "p95", "p97", "p99", "p99_9"} == set(performance["latency_ms"])


def test_multistream_reports_whether_it_met_its_bound(runs: dict[str, Any]) -> None:
    performance = runs["multistream"].results["performance"]
    assert performance["samples_per_query"] == 4
    assert performance["within_target_latency"] is True


def test_engine_prints_every_result(run: Any) -> None:
    assert performance_text(read_meta({"results": run.results}, "meta.json")).split()[0] != "-"


@pytest.mark.parametrize("mode", ["accuracy", "performance"])
def test_each_mode_has_a_folder_with_loadgen_logs(run: Any, mode: str) -> None:
    names = {path.name for path in (run.folder / mode).iterdir()}
    assert {"mlperf_log_summary.txt", "mlperf_log_detail.txt", "mlperf_log_accuracy.json"} <= names
    assert ("accuracy.txt" in names) == (mode == "accuracy")
    detail = run.detail(mode)
    assert detail["effective_test_mode"] == {"accuracy": "AccuracyOnly", "performance": "PerformanceOnly"}[mode]


def test_only_logs_and_results_remain(run: Any) -> None:
    expected = {"spec.json", "results.json", "stdout.log", "stderr.log", "accuracy", "performance"}
    assert {path.name for path in run.folder.iterdir()} == expected
    assert (run.folder / "stderr.log").read_text() == ""


def test_every_image_is_answered_once(run: Any) -> None:
    log = json.loads((run.folder / "accuracy" / "mlperf_log_accuracy.json").read_text())
    assert sorted(row["qsl_idx"] for row in log) == list(range(16))


def test_accuracy_log_is_upper_case_hex_of_complete_detections(run: Any) -> None:
    """mlcommons/inference v1.0.1, python/coco.py: 7 float32 each, [qsl_idx, ymin, xmin, ymax, xmax, score, class]."""
    log = json.loads((run.folder / "accuracy" / "mlperf_log_accuracy.json").read_text())
    for row in log:
        assert set(row["data"]) <= set("0123456789ABCDEF")
        data = bytes.fromhex(row["data"])
        assert len(data) % 28 == 0
        for index, ymin, xmin, ymax, xmax, score, kind in struct.iter_unpack("<7f", data):
            assert index == row["qsl_idx"]
            assert 0 <= ymin <= ymax <= 1
            assert 0 <= xmin <= xmax <= 1
            assert 0 < score <= 1
            assert kind in range(1, 9)


def test_accuracy_txt_matches_log_and_results(run: Any) -> None:
    lines = (run.folder / "accuracy" / "accuracy.txt").read_text().splitlines()
    log = (run.folder / "accuracy" / "mlperf_log_accuracy.json").read_bytes()
    assert f"mAP={100 * run.results['accuracy']['mAP']:.3f}%" in lines
    assert lines[-1] == f"hash={hashlib.sha256(log).hexdigest()}"


def test_scenario_does_not_change_detections(run: Any, runs: dict[str, Any]) -> None:
    """SingleStream runs batches of one, Offline of four."""
    assert_same_detections(answers(run), answers(runs["singlestream"]))
    assert run.results["accuracy"]["mAP"] == pytest.approx(runs["offline"].results["accuracy"]["mAP"], abs=1e-3)


def test_sample_set_is_the_same_in_every_run(run: Any, runs: dict[str, Any]) -> None:
    loaded = run.detail("performance")["loaded_qsl_set"]
    assert loaded[:8] == runs["offline"].detail("performance")["loaded_qsl_set"]
    assert len(set(loaded)) == 8


def test_single_image_model_detects_the_same(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], runs: dict[str, Any], demo_model: Path, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(demo_model))
    for row in [*model.graph.input, *model.graph.output]:
        row.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, str(tmp_path / "one.onnx"))
    outcome = harness(spec_for(model=tmp_path / "one.onnx"))
    assert_same_detections(answers(outcome), answers(runs["offline"]))
    assert outcome.results["batch_size"] == 1  # what ran, not what was requested


def test_demo_model_finds_the_shapes(harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]]) -> None:
    """package/model-demo-ssd/.cm/meta.json expects 0.83 on 200 images; half of that would already mean a broken pipeline."""
    results = harness(spec_for(count=40)).results
    assert results["images"] == 40
    assert results["accuracy"]["mAP"] > 0.5


def test_real_model_on_real_images_has_reference_map(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], data: Path
) -> None:
    """0.23982 by the v1.0.1 reference harness. Other CPUs round differently."""
    model = data / "models" / "ssd_mobilenet_v1_075_fp32.onnx"
    outcome = harness(spec_for(model=model, data_set=data / "coco79", count=None))
    assert outcome.results["accuracy"]["mAP"] == pytest.approx(0.23982, abs=1e-3)
    assert outcome.results["images"] == 79


def test_count_larger_than_data_set_selects_all(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], plugin: Callable[[str], Path]
) -> None:
    spec = spec_for(count=5000, model_changes={"backend": "toy"})
    outcome = harness(spec, path=plugin("return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), np.zeros(n)"))
    assert outcome.results["images"] == 40
    assert outcome.results["accuracy"]["mAP"] == 0  # no detections, which is not an error
    assert outcome.results["backend_version"] == "7.5"


def test_length_of_offline_run_follows_accuracy_run_if_measurement_was_faster(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], plugin: Callable[[str], Path]
) -> None:
    """A backend that is fifty times faster during tuning: the performance run would last fifty times its minimum duration."""
    path = plugin(
        "import time\n"
        "time.sleep(0.1 * n if Path.cwd().name in ('accuracy', 'performance') else 0.002 * n)\n"
        "return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None"
    )
    run = harness(spec_for("offline", "accuracy", "performance", model_changes={"backend": "toy"}, batch_size=1), path=path)
    issued = json.loads((run.folder / "performance" / "samples.json").read_text())["issued"]
    assert run.results["performance"]["valid"] is True
    assert len(issued) <= 0.3 * 20 * 1.3 * 1.15 * 1.1  # seconds, samples/s of two sessions, and the margins


def test_too_short_offline_run_is_repeated_at_measured_rate(
    harness: Callable[..., Any], spec_for: Callable[..., dict[str, Any]], plugin: Callable[[str], Path]
) -> None:
    """A backend that is ten times slower during tuning: LoadGen then prepares too few samples."""
    path = plugin(
        "import time\n"
        "time.sleep(0.002 * n if Path.cwd().name == 'performance' else 0.02 * n)\n"
        "return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None"
    )
    options = RunOptions(scenario="offline", seconds=3.0)
    spec = spec_for("offline", "performance", options=options, model_changes={"backend": "toy"}, batch_size=1)
    found = until_valid(
        lambda: harness(spec, path=path).results["performance"], lambda row: row["valid"] and row.get("repeated")
    )
    assert found["valid"] is True, found
    assert found["repeated"] is True
