"""Sessions in several processes: results equal those of one, failures are reported like those of one, nothing is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

for name in ("cv2", "mlperf_loadgen", "onnxruntime", "pycocotools"):
    pytest.importorskip(name)


from ck_repo.run.options import RunOptions  # noqa: E402

pytestmark = pytest.mark.slow
LOG = "accuracy/mlperf_log_accuracy.json"
ANSWER = "return np.zeros((n, 1, 4)), np.zeros((n, 1)), np.ones((n, 1)), None"
# as many detections as the image says: none, one, or thousands, more than a slot of an answer has room for
MANY = """
ends = np.array([[0, 1, 3000][int(image.sum()) % 3] for image in images])
most = max(ends.max(), 1)
boxes = np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32), (n, most, 1))
scores = np.tile(np.linspace(1, 0, most, dtype=np.float32), (n, 1))
return boxes, scores, np.ones((n, most), np.float32), ends
"""

Spec = dict[str, Any]
MakeSpec = Callable[..., Spec]


def answers(run: Any) -> list[Any]:
    """The accuracy log in the order of samples: sessions side by side may complete theirs in any order."""
    return sorted(json.loads((run.folder / LOG).read_text()), key=lambda row: row["qsl_idx"])


@pytest.mark.parametrize(
    ("scenario", "changes"),
    [
        ("offline", {}),
        ("server", {}),
        ("offline", {"batch_size": 5, "processes": 3}),
        ("offline", {"model_changes": {"score_above": 0.5}}),
        ("offline", {"part": {"index": 1, "count": 2}}),
    ],
    ids=["offline", "server", "three processes", "minimum score", "part"],
)
def test_answers_equal_those_of_one_process(
    harness: Callable[..., Any], spec_for: MakeSpec, scenario: str, changes: dict[str, Any]
) -> None:
    some = {"sessions": 3, "loadgen_changes": {"performance_sample_count": 6}, "processes": 2, **changes}
    one, more = (harness(spec_for(scenario, "accuracy", **{**some, **own})) for own in ({"processes": 1}, {}))
    assert (one.results.get("processes"), more.results["processes"]) == (None, some["processes"])
    assert answers(one) == answers(more)
    assert one.results.get("accuracy") == more.results.get("accuracy")
    assert (one.folder / "accuracy/samples.json").read_bytes() == (more.folder / "accuracy/samples.json").read_bytes()
    assert not (more.folder / "asked.txt").exists()


@pytest.mark.parametrize(
    "changes", [{}, {"side": 0, "resize": "keep", "scaling": "unit", "dtype": "float32"}], ids=["small", "of any size"]
)
def test_any_number_of_detections_is_passed_on(
    harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path], changes: dict[str, Any]
) -> None:
    backend = plugin(MANY)
    some = {"model_changes": {"backend": "toy", "score_above": None, **changes}, "sessions": 2}
    one, two = (harness(spec_for("offline", "accuracy", processes=number, **some), path=backend) for number in (1, 2))
    assert answers(one) == answers(two)
    sizes = {len(row["data"]) // 56 for row in answers(two)}
    assert sizes == {0, 1, 3000}


@pytest.mark.parametrize("scenario", ["offline", "server"])
def test_performance_run_is_complete(harness: Callable[..., Any], spec_for: MakeSpec, scenario: str) -> None:
    options = RunOptions(scenario=scenario, seconds=0.3, target_qps=200.0, target_latency=10_000.0)
    run = harness(spec_for(scenario, "performance", options=options, processes=2, profile=True))
    found, detail = run.results["performance"], run.detail("performance")
    assert found["errors"] == 0
    assert found["valid"] or scenario == "server"  # too few queries for early stopping
    assert found["profile"]["sessions"] == 2
    assert found["profile"]["samples"] == detail["result_query_count" if scenario == "server" else "generated_query_count"] * (
        1 if scenario == "server" else detail["generated_samples_per_query"]
    )
    assert min(found["profile"][f"{name}_us"] for name in ("queue", "batch", "framework", "packing", "loadgen")) > 0


def test_odd_detections_are_counted_in_all_processes(
    harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path]
) -> None:
    backend = plugin("return np.full((n, 1, 4), 3.0), np.full((n, 1), 0.9), np.full((n, 1), 90.0), None")
    some = {"model_changes": {"backend": "toy"}, "sessions": 2, "batch_size": 1}
    modes = ("accuracy", "performance")
    one, two = (harness(spec_for("offline", *modes, processes=number, **some), path=backend).results for number in (1, 2))

    def known(remarks: list[str]) -> list[str]:
        """Without the first sample, which depends on which session was ahead."""
        return [text.partition(", the first")[0] for text in remarks]

    assert known(one["remarks"]) == known(two["remarks"])
    assert any(text.startswith("16 detections have a class") for text in two["remarks"])


@pytest.mark.parametrize(
    "body",
    [
        "raise RuntimeError('the accelerator fell off the bus')",
        "return np.full((n, 1, 4), np.nan), np.ones((n, 1)), np.ones((n, 1)), None",
        "return np.zeros((n, 3, 4)), np.zeros((n, 2)), np.zeros((n, 3)), None",
        "return np.zeros((n, 1, 4)), np.full((n, 1), 7.0), np.ones((n, 1)), None",
        "from object_detection.errors import HarnessError\nraise HarnessError('no licence', 'buy one')",
    ],
    ids=["raises", "not a number", "shapes", "no score", "harness error"],
)
def test_error_is_that_of_one_process(
    harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path], body: str
) -> None:
    backend = plugin(body)
    some = {"model_changes": {"backend": "toy"}, "sessions": 2, "batch_size": 16}  # a single batch: the same sample
    one, two = (harness(spec_for("offline", "accuracy", processes=number, **some), path=backend) for number in (1, 2))
    assert (one.status, one.error) == (two.status, two.error)
    assert (one.folder / "error.json").read_bytes() == (two.folder / "error.json").read_bytes()
    assert (two.folder / "stderr.log").read_text().count("Traceback (most recent call last)") >= 1
    assert not (two.folder / "results.json").exists()


def test_advice_is_that_of_one_process(harness: Callable[..., Any], spec_for: MakeSpec) -> None:
    """Classes that count from another number are impossible here, and the options that fit are found."""
    some = {"model_changes": {"class_offset": -5, "classes_are": "contiguous"}, "sessions": 2, "batch_size": 16}
    one, two = (harness(spec_for("offline", "accuracy", processes=number, **some)) for number in (1, 2))
    assert (one.folder / "error.json").read_bytes() == (two.folder / "error.json").read_bytes()
    assert "--class_offset=" in json.loads((two.folder / "error.json").read_text())["hint"]


def test_doubtful_results_have_the_advice_of_one_process(harness: Callable[..., Any], spec_for: MakeSpec) -> None:
    some = {"model_changes": {"box_order": "xyxy"}, "sessions": 2, "batch_size": 16}
    one, two = (harness(spec_for("offline", "accuracy", processes=number, **some)) for number in (1, 2))
    assert one.results["accuracy"] == two.results["accuracy"]
    assert one.results["remarks"] == two.results["remarks"]
    assert any("--box_order=yxyx" in text for text in two.results["remarks"])


def test_backend_may_print(harness: Callable[..., Any], spec_for: MakeSpec, plugin: Callable[..., Path]) -> None:
    backend = plugin(f"print('a' * 100_000)\n__import__('os').write(2, b'b' * 100_000)\n{ANSWER}")
    run = harness(spec_for("offline", "accuracy", processes=2, model_changes={"backend": "toy"}), path=backend)
    assert run.results["processes"] == 2
    assert (run.folder / "stdout.log").read_text().count("a" * 100_000) >= 4
